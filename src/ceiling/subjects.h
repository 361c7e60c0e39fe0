#pragma once
#include <cstdint>
#include <vector>

namespace cortiscore {

/// Each time one subject's threshold scored against those of the others, mean over the others of
/// max(0, 1 - |T - t| / T). Who is left out is drawn as the platform draws: RandomState(i).choice
/// on a list from which the drawn value is taken and to whose end it returns, so that a subject may
/// come twice and another never. Source: BENCHMARKS.md 2.14.
std::vector<double> leave_one_out_thresholds(std::vector<double> subjects);

}  // namespace cortiscore
