#include "src/cli/data_images.h"

#include <iostream>
#include <map>
#include <memory>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/json_line.h"
#include "src/results/json.h"
#include "src/stimuli/image_files.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::vector<std::string> paths;
  bool json = false;
};

void print_json(const DecodedFile& file) {
  Json row = {{"file", file.name}};
  if (file.refusal.empty()) {
    row["height"] = file.height;
    row["width"] = file.width;
  } else {
    row["refused"] = file.refusal;
  }
  std::cout << json_line(row) << "\n";
}

void print(const std::string& path, const std::vector<DecodedFile>& files) {
  std::map<std::pair<int64_t, int64_t>, int64_t> sizes;
  for (const auto& file : files) {
    if (file.refusal.empty()) {
      ++sizes[{file.width, file.height}];
    } else {
      std::cout << file.refusal << "\n";
    }
  }
  for (const auto& [size, n] : sizes)
    std::cout << path << ": " << n << " of " << size.first << " x " << size.second << "\n";
}

int images(const Arguments& arguments) {
  bool all = true;
  for (const auto& path : arguments.paths) {
    const auto files = decode_files(path);
    if (!arguments.json) print(path, files);
    for (const auto& file : files) {
      if (arguments.json) print_json(file);
      all = all && file.refusal.empty();
    }
  }
  return all ? 0 : static_cast<int>(ErrorKind::kBadInput);
}

}  // namespace

void add_data_images(CLI::App& data, Outcome& outcome) {
  const auto arguments = std::make_shared<Arguments>();
  auto* verb = data.add_subcommand(
      "images", "Decode images as scoring does: how large they are, and which are refused");
  verb->add_option("path", arguments->paths, "folders, zip archives or images")->required();
  verb->add_flag("--json", arguments->json,
                 "one JSON object a file: file, and height and width or refused");
  verb->callback([arguments, &outcome] { outcome.exit_code = images(*arguments); });
}

}  // namespace cortiscore::cli
