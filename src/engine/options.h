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
/// @throws Error(kUsage)  a layer for a region that none of the benchmarks is of, with the regions
///                        that are there
void check_regions(const std::map<std::string, std::string>& layers, const Benchmarks& benchmarks);

/// Options of scoring by their names, which flags and Python's arguments share: those of
/// `cortiscore score --help`, with _ for -, and `layers`, an object of region: layer. What is not
/// named keeps its default.
/// @throws Error(kUsage)  a name that is none, a value of another type or out of range, by its flag
ScoreOptions score_options(const Json& named);

}  // namespace cortiscore
