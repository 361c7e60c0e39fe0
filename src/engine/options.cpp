#include "src/engine/options.h"

#include <set>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

void need(bool fine, const char* flag, const std::string& found, const char* expected) {
  if (!fine) {
    throw Error(ErrorKind::kUsage,
                std::string(flag) + ": found " + found + ", expected " + expected + ".");
  }
}

}  // namespace

void check_regions(const std::map<std::string, std::string>& layers, const Benchmarks& benchmarks) {
  std::set<std::string> regions;
  for (const auto& benchmark : benchmarks) regions.insert(benchmark->region);
  std::string names;
  for (const auto& region : regions) names += (names.empty() ? "" : ", ") + region;
  for (const auto& [region, layer] : layers) {
    if (region.empty() || regions.contains(region)) continue;
    throw Error(ErrorKind::kUsage, "--layer " + region + "=" + layer + ": found no benchmark of " +
                                       region + " among those named, expected one of " + names +
                                       ". Leave the layer away, or name a benchmark of " + region +
                                       ".");
  }
}

void check_numbers(const ScoreOptions& options) {
  need(options.n_candidates >= 1, "--candidates", std::to_string(options.n_candidates),
       "1 or more");
  need(options.bootstrap.n_boot >= 1 && options.bootstrap.n_boot <= kMostDraws, "--bootstrap",
       std::to_string(options.bootstrap.n_boot), "1 draw or more, up to a hundred million");
  need(options.memory_gib > 0 && options.memory_gib <= kMostGib, "--memory-gib",
       std::to_string(options.memory_gib), "a positive number of GiB");
}

}  // namespace cortiscore
