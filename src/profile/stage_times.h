#pragma once
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "src/core/stage.h"

namespace cortiscore {

/// Seconds of the wall clock by stage and detail.
///
/// At any moment the clock belongs to the innermost spans that threads are in: where those are of
/// several stages, each has its part, a thread's the same as another's. A thread that is in `other`
/// waits, or does what has no name, and counts only where no thread is in a named stage. So all
/// parts together are the time that any thread was in a span.
using StageSeconds = std::map<std::pair<StageName, std::string>, double>;
StageSeconds stage_seconds(const std::vector<StageSpan>& spans);

/// Over details. @return by StageName
std::array<double, kStages> by_stage(const StageSeconds& seconds);

}  // namespace cortiscore
