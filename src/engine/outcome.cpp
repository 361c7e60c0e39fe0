#include "src/engine/outcome.h"

#include <algorithm>
#include <cmath>

#include "src/core/process_memory.h"

namespace cortiscore {

size_t best_of(const std::vector<double>& values) {
  const auto rank = [](double v) { return std::isnan(v) ? -2 : v; };
  const auto best = std::max_element(values.begin(), values.end(),
                                     [&](double a, double b) { return rank(a) < rank(b); });
  return static_cast<size_t>(best - values.begin());
}

Json timing_json(const ExtractionTimes& times) {
  return {{"forward", 1e3 * times.forward_s},        {"decode", 1e3 * times.pass.decode},
          {"normalise", 1e3 * times.pass.normalise}, {"network", 1e3 * times.pass.network},
          {"keep", 1e3 * times.pass.keep},           {"reduce", 1e3 * times.reduce_s},
          {"forward_passes", times.passes}};
}

Json peak_bytes_json(const ExtractionTimes& times) {
  return {{"planned", times.planned_bytes},
          {"process", times.process_bytes},
          {"stimuli", times.stimulus_bytes},
          {"spilled", times.spilled_bytes},
          {"resident", resident_bytes().most}};
}

Json estimate_json(const Estimate& estimate, const char* key) {
  return {{key, number(estimate.value)},
          {"error", number(estimate.error)},
          {"ci_lo", number(estimate.ci_lo)},
          {"ci_hi", number(estimate.ci_hi)}};
}

}  // namespace cortiscore
