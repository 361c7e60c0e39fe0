#include <algorithm>

#include <ATen/core/Tensor.h>

#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/engine/candidate.h"
#include "src/kinds/factors/definition.h"
#include "src/score/factor_score.h"

namespace cortiscore {
namespace {

ReductionMemory terms_memory(int64_t n, int64_t /*p*/) {
  constexpr int64_t kColumns = 256, kTemporaries = 8;
  const int64_t column = n * int64_t{sizeof(double)};
  return {2 * column, kTemporaries * kColumns * column};
}

}  // namespace

// The same of all benchmarks with the same pairs.
std::optional<NamedReduction> FactorBenchmark::reduction(Workbench& workbench) const {
  const auto pairs = factor_data(*this, workbench).pairs.to(workbench.options().device);
  return NamedReduction{"factor terms " + name_of_pairs(*this),
                        [pairs](FeatureBlocks& all) { return factor_terms(all, pairs); },
                        terms_memory};
}

Outcome FactorBenchmark::score(const Candidate& candidate, Workbench& workbench) const {
  const auto& options = workbench.options();
  Outcome outcome;
  const auto& data = factor_data(*this, workbench);
  const auto wanted = *score_request(candidate, *this, workbench);
  const auto reduced = reduced_for(candidate, wanted, workbench, outcome.times)[0];
  const Timer fit;
  const Stage mapping(StageName::kMapping);
  const auto pairs = data.pairs.to(options.device);
  const auto& names = factor_names();
  const auto code = std::find(names.begin(), names.end(), factor) - names.begin();
  outcome.score = factor_score(reduced.values, pairs, code, reduced.n_features, fixed_ceiling,
                               options.bootstrap);
  outcome.n = {{"stimuli", data.stimuli.size()},
               {"pairs", data.pairs.first.size(0)},
               {"units", reduced.n_features}};
  outcome.fit_s = fit.seconds();
  outcome.layer = wanted.layers[0];
  outcome.params = {{"factor", factor}, {"seed", pair_seed}};
  outcome.resampled = "pair";
  return outcome;
}

}  // namespace cortiscore
