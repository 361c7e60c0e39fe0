#pragma once
#include <map>
#include <string>
#include <vector>

#include "src/engine/benchmark.h"

namespace cortiscore {

/// More draws, or memory, than any machine has: what was asked for is a slip of the pen.
constexpr int64_t kMostDraws = 100000000;
constexpr double kMostGib = 1e6;

/// @param layers  by region, "" for every region
/// @throws Error(kUsage)  a layer for a region that none of the benchmarks is of, with the regions that are there
void check_regions(const std::map<std::string, std::string>& layers, const Benchmarks& benchmarks);

/// Of callers that have no flags, which check theirs as they are read.
/// @throws Error(kUsage)  a number out of range, by its flag
void check_numbers(const ScoreOptions& options);

}  // namespace cortiscore
