#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/engine/benchmark.h"

namespace cortiscore {

/// Which benchmarks are wanted; empty: all.
struct BenchmarkFilter {
  std::string region;
  std::string kind;  ///< neural or behavior
  std::string species, modality;
  std::string access;  ///< public or private
  bool here = false;   ///< only those whose data are on this machine
};

/// What a benchmark is, as `cortiscore benchmark list --json` prints it.
Json described(const Benchmark& benchmark);

/// Those that are wanted, by identifier, with what they are.
/// @throws Error(kBadInput)  a manifest that is not schema version 1
std::vector<std::pair<std::shared_ptr<const Benchmark>, Json>> listed(
    const BenchmarkFilter& filter);

}  // namespace cortiscore
