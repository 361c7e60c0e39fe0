#include "src/benchmark/recordings.h"

#include <algorithm>
#include <filesystem>

#include "cortiscore/error.h"
#include "src/core/folders.h"
#include "src/core/layout.h"
#include "src/data/arrays.h"

namespace cortiscore {
namespace fs = std::filesystem;

std::string reading_version() {
  return "reading 3 " CORTISCORE_VERSION " " CORTISCORE_TORCH;
}

Recordings open_stimuli(const std::string& path) {
  auto stimuli = StimulusSet::open(path);
  std::vector<std::string> data_sha256 = {sha256_of_file(path), stimuli.sha256()};
  return {std::move(stimuli), std::move(data_sha256), {}};
}

const std::string& column_of(const StimulusSet& stimuli, const std::vector<std::string>& columns) {
  auto column = columns.begin();
  while (column + 1 != columns.end() && !stimuli.has(*column)) ++column;
  return *column;
}

namespace {

// Where a file is, or where it was sought and what was found there.
struct Place {
  std::string path, found;  // nothing was found where it can be read
};

Place sought(const Manifest& benchmark, const std::string& name) {
  const auto path = fs::path(home()) / "data" / name;
  const auto beside = fs::path(benchmark.path).parent_path() / name;
  Place place = {path.string(), "no such file"};
  for (const auto& there : {path, beside}) {
    const auto why = why_unreadable(there.string());
    if (why.empty()) return {there.string(), ""};
    if (place.found == "no such file" && why != place.found) place = {there.string(), why};
  }
  if (name.starts_with("brainio/")) {
    if (auto there = brainio_file(name.substr(name.find('/') + 1)); !there.empty())
      return {std::move(there), ""};
  }
  return place;
}

}  // namespace

std::string data_file(const Manifest& benchmark, const std::string& name) {
  auto place = sought(benchmark, name);
  if (place.found.empty()) return place.path;
  throw bad_input(
      {place.path, "", place.found, "data of " + benchmark.identifier,
       benchmark.how_to_import.empty() ? "Put it there" : "Run: " + benchmark.how_to_import});
}

std::string place_of(const Manifest& benchmark, const std::string& name) {
  auto place = sought(benchmark, name);
  return place.found.empty() ? std::move(place.path) : std::string();
}

std::vector<std::string> manifest_files(const std::string& folder) {
  std::vector<std::string> all;
  for (const auto& place : {fs::path(manifest_folder()) / folder, fs::path(home()) / folder}) {
    if (!fs::is_directory(place)) continue;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(place)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) all.push_back(file.string());
  }
  return all;
}

}  // namespace cortiscore
