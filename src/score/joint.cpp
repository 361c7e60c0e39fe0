#include "src/score/joint.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

namespace cortiscore {

ResampleOptions over_axis(Axis axis, int64_t n, const BootstrapOptions& options) {
  ResampleOptions over;
  // Counts of half a gigabyte at most: triplets are hundreds of thousands.
  over.block = std::clamp<int64_t>((int64_t{1} << 26) / std::max<int64_t>(n, 1), 1, over.block);
  over.over = {{axis, n}};
  over.n_boot = options.n_boot;
  over.level = options.level;
  over.seed = options.seed;
  return over;
}

namespace {

void add_warnings(std::vector<std::string>& into,
                  const std::vector<std::string>& warnings,
                  const std::string& of) {
  for (const auto& warning : warnings) into.push_back(of + warning);
}

}  // namespace

Score joint_score(const Evaluation& raw,
                  const Evaluation& ceiling,
                  const Statistic& ceiled,
                  const ResampleOptions& over,
                  const at::TensorOptions& on) {
  Score score;
  const auto with_interval = [&](const Evaluation& e, const char* of) {
    auto estimate = e.estimate;
    const auto r = resample(e.draws, over, on);
    estimate.draws = {{}, r.draws};
    estimate.ci_lo = r.ci_lo;
    estimate.ci_hi = r.ci_hi;
    add_warnings(score.warnings, e.warnings, of);
    add_warnings(score.warnings, r.warnings, of);
    return estimate;
  };
  const auto both = resample(ceiled, over, on);
  score.raw = with_interval(raw, "");
  score.ceiling = with_interval(ceiling, "ceiling: ");
  add_warnings(score.warnings, both.warnings, "ceiled: ");
  score.ceiled = both.value;
  score.ceiled_error = both.error;
  score.ceiled_ci_lo = both.ci_lo;
  score.ceiled_ci_hi = both.ci_hi;
  score.ceiled_draws = both.draws;
  return score;
}

Score ratio_score(const Evaluation& raw,
                  const Evaluation& ceiling,
                  const CeilingConvention& convention,
                  const ResampleOptions& over,
                  const at::TensorOptions& on) {
  auto score = joint_score(
      raw, ceiling,
      [&](const Draws& draws) { return convention(raw.draws(draws), ceiling.draws(draws).to(on)); },
      over, on);
  score.convention = convention;
  return score;
}

Score without_ceiling(const Evaluation& raw,
                      const ResampleOptions& over,
                      const at::TensorOptions& on) {
  const auto share = resample(raw.draws, over, on);
  const double none = std::nan("");
  Score score;
  add_warnings(score.warnings, raw.warnings, "");
  add_warnings(score.warnings, share.warnings, "");
  score.raw = raw.estimate;
  score.raw.draws = {{}, share.draws};
  score.raw.ci_lo = share.ci_lo;
  score.raw.ci_hi = share.ci_hi;
  score.ceiling.value = score.ceiling.error = score.ceiling.ci_lo = score.ceiling.ci_hi = none;
  score.ceiled = score.ceiled_error = score.ceiled_ci_lo = score.ceiled_ci_hi = none;
  return score;
}

}  // namespace cortiscore
