#include "src/profile/stage_times.h"

#include <algorithm>
#include <cstdint>

namespace cortiscore {

StageSeconds stage_seconds(const std::vector<StageSpan>& spans) {
  struct Edge {
    int64_t at_ns;
    bool begins;
    int64_t depth;
    const StageSpan* span;
  };
  std::vector<Edge> edges;
  edges.reserve(2 * spans.size());
  for (const auto& span : spans) {
    if (span.begin_ns == span.end_ns) continue;  // no time is its own
    edges.push_back({span.begin_ns, true, span.depth, &span});
    edges.push_back({span.end_ns, false, span.depth, &span});
  }
  // At one time what ends does so before what begins; the outermost begins first and ends last.
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
    if (a.at_ns != b.at_ns) return a.at_ns < b.at_ns;
    if (a.begins != b.begins) return b.begins;
    return a.begins ? a.depth < b.depth : a.depth > b.depth;
  });
  std::map<int64_t, std::vector<const StageSpan*>> within;  // of each thread, the innermost last
  std::map<const StageSpan*, double> of_span;
  int64_t before = 0;
  for (const auto& edge : edges) {
    if (const auto passed = static_cast<double>(edge.at_ns - before) * 1e-9; passed > 0) {
      int64_t named = 0, any = 0;
      for (const auto& [thread, stack] : within) {
        if (stack.empty()) continue;
        ++any;
        named += stack.back()->stage != StageName::kOther;
      }
      for (const auto& [thread, stack] : within) {
        if (stack.empty()) continue;
        const bool counts = named == 0 || stack.back()->stage != StageName::kOther;
        if (counts) of_span[stack.back()] += passed / static_cast<double>(named ? named : any);
      }
    }
    before = edge.at_ns;
    auto& stack = within[edge.span->thread];
    if (edge.begins)
      stack.push_back(edge.span);
    else
      stack.erase(std::remove(stack.begin(), stack.end(), edge.span), stack.end());
  }
  StageSeconds seconds;
  for (const auto& [span, s] : of_span) seconds[{span->stage, span->detail}] += s;
  return seconds;
}

std::array<double, kStages> by_stage(const StageSeconds& seconds) {
  std::array<double, kStages> all{};
  for (const auto& [what, s] : seconds) all[static_cast<size_t>(what.first)] += s;
  return all;
}

}  // namespace cortiscore
