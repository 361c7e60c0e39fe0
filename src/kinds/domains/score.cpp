#include <ATen/ATen.h>

#include "src/core/class_codes.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/data/choices.h"
#include "src/engine/candidate.h"
#include "src/kinds/domains/definition.h"
#include "src/score/domain_score.h"

namespace cortiscore {

Outcome DomainBenchmark::score(const Candidate& candidate, Workbench& workbench) const {
  const auto& options = workbench.options();
  Outcome outcome;
  const auto& stimuli = recordings(workbench).stimuli;
  const auto wanted = *score_request(candidate, *this, workbench);
  const auto features = reduced_for(candidate, wanted, workbench, outcome.times)[0].values;
  const Timer fit;
  const Stage mapping(StageName::kMapping);
  const auto labels = stimuli.column(splits.by);
  const auto truth = at::tensor(class_codes(labels)).to(features.device());
  const auto n_classes = static_cast<int64_t>(distinct(labels).size());
  const auto domain_of = stimuli.column(domain);
  const auto domains = distinct(domain_of);
  std::vector<at::Tensor> accuracies;
  Progress progress(candidate.identifier + ": domains", static_cast<int64_t>(domains.size()));
  for (const auto& name : domains) {
    std::vector<int64_t> rows;
    for (size_t i = 0; i < domain_of.size(); ++i) {
      if (domain_of[i] == name) rows.push_back(static_cast<int64_t>(i));
    }
    const auto index = at::tensor(rows).to(features.device());
    accuracies.push_back(readout_accuracy(features.index_select(0, index),
                                          truth.index_select(0, index), n_classes,
                                          make_splits(splits, stimuli, rows), alphas));
    progress.advance(1);
  }
  outcome.score = domain_score(accuracies, options.bootstrap);
  for (size_t d = 0; d < domains.size(); ++d) {
    outcome.populations.push_back({{"identifier", domain + " " + domains[d]},
                                   {"raw", number(outcome.score.raw.split_values[d])}});
  }
  outcome.n = {{"stimuli", stimuli.size()},
               {"domains", domains.size()},
               {"categories", n_classes},
               {"splits", splits.n_splits}};
  outcome.fit_s = fit.seconds();
  outcome.layer = wanted.layers[0];
  outcome.params = {{"readout", "ridge_classifier"}, {"alphas", alphas}};
  outcome.resampled = "domain";
  return outcome;
}

}  // namespace cortiscore
