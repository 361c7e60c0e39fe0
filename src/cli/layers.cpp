#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <ostream>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/flags.h"
#include "src/cli/json_line.h"
#include "src/cli/profile_plot.h"
#include "src/cli/record_table.h"
#include "src/cli/score_flags.h"
#include "src/cli/table.h"
#include "src/core/device.h"
#include "src/core/printable.h"
#include "src/core/progress.h"
#include "src/core/terminal.h"
#include "src/core/whole_file.h"
#include "src/engine/layer_profile.h"
#include "src/engine/options.h"
#include "src/engine/outcome.h"
#include "src/kinds/kinds.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::string network, match, output, plot, photos, mode = "sklearn", device = "cpu", from = "all";
  LoadFlags load;
  std::vector<std::string> benchmarks;
  int64_t candidates = 0;
  MemoryFlags memory;
  bool json = false;
};

void write_file(const std::string& path, const std::string& text) {
  write_whole(path, [&](std::ostream& file) { file << text; });
  log_line(path);
}

void print_profiles(const std::vector<LayerProfile>& profiles) {
  int64_t width = 5;
  for (const auto& layer : profiles.front().layers)
    width = std::max(width, columns_of(printable(layer.layer)));
  std::vector<Column> columns = {{0, width, true}, {1, 10}};
  std::vector<std::string> header = {"layer", "features"};
  for (const auto& profile : profiles) {
    header.push_back(profile.benchmark->identifier);
    columns.push_back({2, std::max<int64_t>(columns_of(header.back()), 17)});
  }
  print_cells(columns, header);
  for (size_t i = 0; i < profiles.front().layers.size(); ++i) {
    const auto& layer = profiles.front().layers[i];
    std::vector<std::string> cells = {printable(layer.layer), std::to_string(layer.n_features)};
    for (const auto& profile : profiles) {
      const auto& raw = profile.layers[i].raw;
      cells.push_back(cell(raw.value) + " +- " + cell(raw.error) +
                      (i == profile.best() ? " *" : "  "));
    }
    print_cells(columns, cells);
  }
}

void run(const Arguments& arguments) {
  Benchmarks benchmarks;
  for (const auto& name : arguments.benchmarks) benchmarks.push_back(find_benchmark(name));
  Json named = {{"reference_photos", arguments.photos},
                {"mode", arguments.mode},
                {"device", arguments.device}};
  named.update(arguments.memory.named());
  named.update(arguments.load.named());
  auto options = score_options(named);
  options.say_memory = arguments.memory.gib == 0;
  Workbench workbench(options, /*many_networks=*/false);
  const auto candidate = open_candidate(arguments.network, options.device, options.load);
  const auto layers = layers_to_profile(candidate, benchmarks, arguments.match,
                                        candidates_from(arguments.from), arguments.candidates);
  log_line(candidate.identifier + ": " + std::to_string(layers.size()) + " layers");
  if (const auto left_out = left_out_layers(*candidate.network); !left_out.empty())
    log_line("warning: " + left_out);
  const auto profiles = profile_layers(candidate, benchmarks, layers, workbench);
  if (arguments.json) {
    for (const auto& profile : profiles)
      std::cout << json_line(profile_json(candidate, profile)) << '\n';
  } else {
    print_profiles(profiles);
  }
  const auto commitment = commitment_json(candidate, profiles, workbench);
  if (!arguments.json) {
    for (const auto& [region, layer] : commitment.at("region_layer_map").items())
      std::printf("%s: %s\n", region.c_str(), printable(layer.get<std::string>()).c_str());
    std::fflush(stdout);
  }
  if (!arguments.output.empty()) write_file(arguments.output, commitment.dump(2) + "\n");
  if (!arguments.plot.empty())
    write_file(arguments.plot, profile_svg(candidate.identifier, profiles));
}

}  // namespace

void add_layers(CLI::App& app, Outcome& /*outcome*/) {
  auto arguments = std::make_shared<Arguments>();
  auto* verb = app.add_subcommand(
      "layers",
      "Every layer of a network on benchmarks: the profile along depth, and a commitment");
  verb->add_option("network", arguments->network, ".pt2 archive")->required();
  add_benchmark_flag(*verb, arguments->benchmarks,
                     "neural benchmark, or manifest; repeat for several");
  verb->add_option(
      "--match", arguments->match,
      "only layers like this (*, ?); ending with :cls or :mean, their class tokens or means");
  verb->add_option("--candidates", arguments->candidates,
                   "only so many, evenly spaced in depth; 0: all")
      ->capture_default_str()
      ->check(count_or_none());
  add_from_flag(*verb, arguments->from);
  verb->add_option("--mode", arguments->mode, "PLS: sklearn or exact")
      ->check(one_of({"sklearn", "exact"}))
      ->capture_default_str();
  arguments->memory.add(*verb);
  verb->add_option("--reference-photos", arguments->photos,
                   "stimulus set (CSV): layers with more features than photos are kept in their "
                   "span, as the platform's "
                   "LayerPCA keeps its principal components");
  add_device_flag(*verb, arguments->device);
  arguments->load.add(*verb);
  verb->add_option(
      "-o,--output", arguments->output,
      "file for the best layer of every region: score and sweep take it as --layer-map");
  verb->add_option("--plot", arguments->plot, "file for a picture of the profiles (SVG)");
  verb->add_flag("--json", arguments->json, "print one JSON object a benchmark");
  verb->callback([arguments] { run(*arguments); });
}

}  // namespace cortiscore::cli
