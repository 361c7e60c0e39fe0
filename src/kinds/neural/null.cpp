#include <algorithm>

#include <ATen/ATen.h>

#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/core/stop.h"
#include "src/engine/null_scores.h"
#include "src/kinds/neural/data.h"
#include "src/resample/bootstrap.h"
#include "src/score/statistics.h"

namespace cortiscore {

// Features of random signs, independent from stimulus to stimulus: what is left of a network's when
// their rows are shuffled, as far as a map onto shuffled responses can tell. On the recordings at
// hand networks whose rows are shuffled, whole or within movies, have the same null as these
// (docs/layers.md). As many features as stimuli are as wide as any layer's coordinates.
std::vector<double> null_of(const NeuralBenchmark& benchmark,
                            Workbench& workbench,
                            PreparedNeural& prepared,
                            bool halves) {
  // Units of a layer differ from network to network, and masks look at places, which these lack.
  if (benchmark.reverse || benchmark.mapping.kind == MappingKind::kMask) return {};
  const auto& options = workbench.options();
  auto mapping = benchmark.mapping;
  mapping.pls.top.mode = options.mode;
  const auto what = std::string(halves ? "halves" : "whole") + " " +
                    (options.mode == TopVectorMode::kSklearn ? "sklearn" : "exact") + " signs 1";
  return kept_null(benchmark, workbench, what, [&] {
    log_line("null of " + benchmark.identifier + ": " + std::to_string(options.null_draws) +
             " maps of random features, kept for later (--null 0 leaves it away)");
    const Stage drawing(StageName::kResample, benchmark.identifier);
    std::vector<const Part*> parts = {&prepared.whole()};
    if (halves) parts = {&prepared.halves().first, &prepared.halves().second};
    const auto n = prepared.data().stimuli.size();
    constexpr int64_t kWidest = 2048;
    const auto width = std::clamp<int64_t>(n, benchmark.mapping.pls.n_components, kWidest);
    std::vector<double> draws;
    for (int64_t draw = 0; draw < options.null_draws; ++draw) {
      check_stop();
      const auto signs = random_signs(/*seed=*/1, draw * n, n, width);
      const auto features = signs.to(at::kDouble).mul_(2).sub_(1).to(options.device);
      std::vector<double> values;
      for (const auto* part : parts) {
        std::vector<Estimate> raw;
        for (const auto& detail : map_part(features, *part, benchmark, mapping))
          raw.push_back(aggregate(detail.per_neuroid));
        values.push_back(value_of(raw, benchmark));
      }
      draws.push_back(mean_skip_nan(values));
    }
    return draws;
  });
}

}  // namespace cortiscore
