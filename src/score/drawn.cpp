#include "src/score/drawn.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/stage.h"
#include "src/ops/weighted_median.h"
#include "src/score/statistics.h"

namespace cortiscore {

std::set<Axis> drawn_axes(const std::string& text) {
  std::set<Axis> over;
  for (size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    const auto name = text.substr(begin, end - begin);
    if (name != "neuroid" && name != "presentation") {
      throw Error(ErrorKind::kUsage, "--over: found \"" + name +
                                         "\", expected neuroid, presentation or "
                                         "neuroid,presentation.");
    }
    over.insert(axis_of(name));
    begin = end + 1;
  }
  return over;
}

void bootstrap_over(Estimate& estimate,
                    const DrawnAxes& axes,
                    const std::vector<PerDraw>& parts,
                    const BootstrapOptions& options,
                    const at::Device& on) {
  if (!axes.draw(Axis::kPresentation) || options.n_boot < 1)
    return bootstrap_over_neuroids(estimate, options);
  const Stage drawing(StageName::kResample);
  const auto doubles = at::TensorOptions().dtype(at::kDouble).device(on);
  const int64_t n_splits = estimate.per_neuroid.size(0), n_neuroids = estimate.per_neuroid.size(1);
  // 128 MiB of values at a time.
  const int64_t a_draw = std::max(n_splits * n_neuroids, axes.n_presentations);
  const int64_t block =
      std::clamp<int64_t>((int64_t{1} << 24) / std::max<int64_t>(a_draw, 1), 1, 512);
  estimate.draws = {};
  for (int64_t first = 0; first < options.n_boot; first += block) {
    Draws draws;
    draws.n = std::min(block, options.n_boot - first);
    draws.counts[Axis::kPresentation] = bootstrap_counts(
        axes.presentation_seed, Axis::kPresentation, first, draws.n, axes.n_presentations, doubles);
    if (axes.draw(Axis::kNeuroid))
      draws.counts[Axis::kNeuroid] =
          bootstrap_counts(options.seed, Axis::kNeuroid, first, draws.n, n_neuroids, doubles);
    std::vector<at::Tensor> side_by_side;
    for (const auto& part : parts)
      side_by_side.push_back(part(draws).expand({draws.n, n_splits, -1}));
    const auto values =
        weighted_median(at::cat(side_by_side, 2), draws.of(Axis::kNeuroid, n_neuroids, doubles))
            .nanmean(1)
            .cpu();
    const auto* const from = values.const_data_ptr<double>();
    estimate.draws.values.insert(estimate.draws.values.end(), from, from + values.numel());
  }
  // One split has no spread: the standard error is the bootstrap's.
  if (n_splits == 1) estimate.error = deviation(estimate.draws.values, 1);
  set_interval(estimate.draws.values, options.level, estimate.ci_lo, estimate.ci_hi);
}

}  // namespace cortiscore
