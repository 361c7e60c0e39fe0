#include <algorithm>

#include <ATen/ATen.h>

#include "src/engine/null_scores.h"
#include "src/kinds/neural/data.h"
#include "src/resample/bootstrap.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

constexpr int64_t kWidest = 512;
constexpr int64_t kMostNeuroids = 1000;
constexpr int64_t kMostWork = 500000000000;  // about a minute of two cores

// Of many neuroids some, evenly spaced: a median over a thousand of them is as wide a null, to all
// that matters, and their map takes a part of the time.
Part thinned(Part part) {
  int64_t n_neuroids = 0;
  for (const auto& target : part.targets) n_neuroids += target.size(1);
  const auto step = (n_neuroids + kMostNeuroids - 1) / kMostNeuroids;
  if (step < 2) return part;
  for (auto& target : part.targets) {
    const auto some = at::arange(0, target.size(1), step, at::kLong).to(target.device());
    target = target.index_select(1, some);
  }
  return part;
}

}  // namespace

// Features of random signs, independent from stimulus to stimulus: what is left of a network's when
// their rows are shuffled, as far as a map onto shuffled responses can tell. On the recordings at
// hand networks whose rows are shuffled, whole or within movies, have the same null as these
// (docs/layers.md). More than 512 features change nothing: layers have no more directions that
// count.
std::vector<double> null_of(const NeuralBenchmark& benchmark,
                            Workbench& workbench,
                            PreparedNeural& prepared,
                            bool halves) {
  // Units of a layer differ from network to network, and masks look at places, which these lack.
  if (benchmark.reverse || benchmark.mapping.kind == MappingKind::kMask) return {};
  const auto& options = workbench.options();
  auto mapping = benchmark.mapping;
  mapping.pls.top.mode = options.mode;
  // The last word is of how it is drawn: raise it where that changes.
  const auto what = std::string(halves ? "halves" : "whole") + " " +
                    (options.mode == TopVectorMode::kSklearn ? "sklearn" : "exact") + " signs 3";
  std::vector<Part> parts;
  if (halves) {
    parts = {thinned(prepared.halves().first), thinned(prepared.halves().second)};
  } else {
    parts = {thinned(prepared.whole())};
  }
  const auto n = prepared.data().stimuli.size();
  const bool is_pls = benchmark.mapping.kind == MappingKind::kPls;
  const auto width =  // a feature a component
      std::max(is_pls ? benchmark.mapping.pls.n_components : 1, std::min(n, kWidest));
  int64_t work = 0;  // products of what is mapped with what it is mapped onto
  for (const auto& part : parts) {
    for (const auto& target : part.targets)
      work += static_cast<int64_t>(part.splits.size()) * target.numel() * width;
  }
  const auto n_draws = fewer_where_large(options.null_draws, work, kMostWork);
  return kept_null(benchmark, workbench, what, n_draws, [&](int64_t draw) {
    const auto signs = random_signs(/*seed=*/1, draw * n, n, width);
    const auto features = signs.to(options.device).to(at::kDouble).mul_(2).sub_(1);
    std::vector<double> values;
    for (const auto& part : parts) {
      std::vector<Estimate> raw;
      for (const auto& detail : map_part(features, part, benchmark, mapping))
        raw.push_back(aggregate(detail.per_neuroid));
      values.push_back(value_of(raw, benchmark));
    }
    return mean_skip_nan(values);
  });
}

}  // namespace cortiscore
