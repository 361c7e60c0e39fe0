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
// that matters, and their map takes a part of the time. Every so many-th is kept.
int64_t step_of(const Part& part) {
  int64_t n_neuroids = 0;
  for (const auto& target : part.targets) n_neuroids += target.size(1);
  return std::max<int64_t>(1, (n_neuroids + kMostNeuroids - 1) / kMostNeuroids);
}

Part thinned(Part part) {
  const auto step = step_of(part);
  for (auto& target : part.targets) {
    if (step > 1) target = target.slice(1, 0, std::nullopt, step).contiguous();
  }
  return part;
}

// Products of what is mapped, so wide, with what it is mapped onto.
int64_t work_of(const Part& part, int64_t width) {
  int64_t cells = 0;
  const auto step = step_of(part);
  for (const auto& target : part.targets)
    cells += target.size(0) * ((target.size(1) + step - 1) / step);
  return static_cast<int64_t>(part.splits.size()) * cells * width;
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
  std::vector<const Part*> all = {&prepared.whole()};
  if (halves) all = {&prepared.halves().first, &prepared.halves().second};
  const auto n = prepared.data().stimuli.size();
  const bool is_pls = benchmark.mapping.kind == MappingKind::kPls;
  const auto width =  // a feature a component
      std::max(is_pls ? benchmark.mapping.pls.n_components : 1, std::min(n, kWidest));
  int64_t work = 0;
  for (const auto* part : all) work += work_of(*part, width);
  const auto n_draws = fewer_where_large(options.null_draws, work, kMostWork);
  std::vector<Part> parts;
  return kept_null(benchmark, workbench, what, n_draws, [&](int64_t draw) {
    if (parts.empty())  // what is kept needs none
      for (const auto* part : all) parts.push_back(thinned(*part));
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
