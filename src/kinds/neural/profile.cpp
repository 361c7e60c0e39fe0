#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/kinds/neural/data.h"

namespace cortiscore {
namespace {

// Per-neuroid scores of every population side by side: [splits, neuroids].
at::Tensor map_all(const at::Tensor& features,
                   const Part& part,
                   const NeuralBenchmark& benchmark,
                   const MappingOptions& options) {
  std::vector<at::Tensor> side_by_side;
  for (const auto& fit : map_part(features, part, benchmark, options))
    side_by_side.push_back(fit.per_neuroid);
  return at::cat(side_by_side, 1);
}

// All neuroids together, or the mean of populations.
Estimate raw_of_part(const at::Tensor& per_neuroid,
                     const Part& part,
                     const NeuralBenchmark& benchmark,
                     const BootstrapOptions& bootstrap) {
  if (!benchmark.mean_of_populations) {
    auto raw = aggregate(per_neuroid);
    bootstrap_over_neuroids(raw, bootstrap);
    return raw;
  }
  std::vector<Estimate> populations;
  int64_t begin = 0;
  for (size_t p = 0; p < part.targets.size(); ++p) {
    const int64_t count = part.targets[p].size(1);
    populations.push_back(aggregate(per_neuroid.narrow(1, begin, count)));
    bootstrap_over_neuroids(populations.back(), population_bootstrap(benchmark, bootstrap, p));
    begin += count;
  }
  return mean_of_estimates(populations, bootstrap.level);
}

}  // namespace

NamedReduction NeuralBenchmark::profile_reduction(Workbench& workbench) const {
  if (mapping.kind == MappingKind::kMask) {
    throw Error(ErrorKind::kUsage, identifier +
                                       " trains masks for minutes a layer: profile layers on "
                                       "benchmarks that map otherwise.");
  }
  auto options = mapping;
  options.pls.top.mode = workbench.options().mode;
  const auto& part = prepared_neural(*this, workbench).whole();
  auto kept = *reduction(workbench);
  // Its scores are all that is kept of a layer, so that none is held.
  kept.name = "predictivity " + sha256;
  kept.reduce = [&part, benchmark = *this, options,
                 reduce = kept.reduce](FeatureBlocks& activations) {
    return map_all(reduce(activations), part, benchmark, options);
  };
  return kept;
}

LayerScores NeuralBenchmark::profile(const std::vector<ReducedLayer>& layers,
                                     Workbench& workbench) const {
  const auto& part = prepared_neural(*this, workbench).whole();
  LayerScores scores = {part.ceiling, {}};
  for (const auto& layer : layers)
    scores.raw.push_back(raw_of_part(layer.values, part, *this, workbench.options().bootstrap));
  return scores;
}

}  // namespace cortiscore
