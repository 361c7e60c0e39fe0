#pragma once
#include <cstdint>
#include <vector>

namespace cortiscore {

/// Halves of the subjects against each other, for `accuracy_delta`: one RandomState(0), 100 permutations; h and r the
/// mean deltas of the first floor(n / 2) and of the rest; max(0, 1 - |h - r| / h) raised by Spearman-Brown. The median is
/// the ceiling. Source: BENCHMARKS.md 2.13, which gives the halves and the correction; that halves are compared by the
/// metric's own similarity is our reading.
std::vector<double> accuracy_delta_halves(const std::vector<double>& subjects);

/// Each subject's threshold scored against those of the others: mean over the others of max(0, 1 - |T - t| / T).
/// Source: BENCHMARKS.md 2.14; the order in which the platform rotates its list does not change these means.
std::vector<double> leave_one_out_thresholds(const std::vector<double>& subjects);

}  // namespace cortiscore
