#include <algorithm>

#include <ATen/ATen.h>

#include "src/core/progress.h"
#include "src/engine/activation_plan.h"
#include "src/engine/outcome.h"
#include "src/score/factors.h"

namespace cortiscore {
namespace {

ReductionMemory terms_memory(int64_t n, int64_t /*p*/) {
  constexpr int64_t kColumns = 256, kTemporaries = 8;
  const int64_t column = n * int64_t{sizeof(double)};
  return {2 * column, kTemporaries * kColumns * column};
}

}  // namespace

ActivationRequest factor_request(const Candidate& candidate,
                                 const Benchmark& benchmark,
                                 Workbench& workbench) {
  const auto& options = workbench.options();
  const auto pairs = workbench.factors(benchmark).pairs.to(options.device);
  return {benchmark,
          layers_for(candidate, benchmark, options),
          {"factor terms " + name_of_pairs(benchmark),
           [pairs](FeatureBlocks& all) { return factor_terms(all, pairs); }, terms_memory}};
}

Outcome score_factors(const Candidate& candidate,
                      const Benchmark& benchmark,
                      Workbench& workbench) {
  const auto& options = workbench.options();
  Outcome outcome;
  const auto& data = workbench.factors(benchmark);
  const auto request = factor_request(candidate, benchmark, workbench);
  const auto reduced = reduced_for(candidate, request, workbench, outcome.times)[0];
  const Timer fit;
  const auto pairs = data.pairs.to(options.device);
  const auto& names = factor_names();
  const auto factor = std::find(names.begin(), names.end(), benchmark.factor) - names.begin();
  outcome.score = factor_score(reduced.values, pairs, factor, reduced.n_features,
                               benchmark.fixed_ceiling, options.bootstrap);
  outcome.n = {{"stimuli", data.stimuli.size()},
               {"pairs", data.pairs.first.size(0)},
               {"units", reduced.n_features}};
  outcome.fit_s = fit.seconds();
  outcome.layer = request.layers[0];
  outcome.layer_selection = committed_json(benchmark, options, request.layers);
  outcome.metric = {{"name", benchmark.metric},
                    {"params", {{"factor", benchmark.factor}, {"seed", benchmark.pair_seed}}}};
  outcome.resampled = "pair";
  outcome.convention = name_of(CeilingConvention::kROverC);
  return outcome;
}

}  // namespace cortiscore
