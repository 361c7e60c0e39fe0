#include "src/kinds/neural/data.h"

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/activations/extract.h"
#include "src/ceiling/internal_consistency.h"
#include "src/ceiling/split_half_predictor.h"
#include "src/core/stage.h"
#include "src/data/arrays.h"
#include "src/kinds/layer_choice.h"
#include "src/score/diagnostics.h"

namespace cortiscore {
namespace {

InternalConsistencyOptions consistency(const NeuralBenchmark& benchmark) {
  return {benchmark.ceiling_splits, benchmark.ceiling_seed};
}

void drop_unreliable(Responses& data, const NeuralBenchmark& benchmark) {
  for (auto& population : data.populations) {
    if (benchmark.keep_above >= 0) {
      const auto per_neuroid = internal_consistency(population.trials, consistency(benchmark));
      const auto kept = (per_neuroid.nanmean(0) > benchmark.keep_above).nonzero().squeeze(1);
      population.n_dropped = population.n_neuroids() - kept.size(0);
      for (const auto& warning :
           cortiscore::left_out(population.n_dropped, population.n_neuroids(),
                                "neuroids are left out: their internal consistency is not above " +
                                    Json(benchmark.keep_above).dump() + ", or undefined"))
        data.warnings.push_back(population.identifier + ": " + warning);
      population.keep(kept);
    }
    if (benchmark.ceiled && !population.stored_ceiling.defined()) {
      for (const auto& warning : few_trials(population.trials))
        data.warnings.push_back(population.identifier + ", ceiling: " + warning);
    }
    population.averaged = population.trials.nanmean(0);
    if (population.train.defined())
      population.averaged = at::cat({population.train, population.averaged});
    check_finite(population.averaged, "assembly of " + population.identifier, "neuroid",
                 "A stimulus without a single trial for a neuroid cannot be mapped: drop the "
                 "stimulus or the neuroid");
  }
}

}  // namespace

BootstrapOptions population_bootstrap(const NeuralBenchmark& benchmark,
                                      BootstrapOptions options,
                                      size_t population) {
  if (benchmark.mean_of_populations) options.seed += population;
  return options;
}

PreparedNeural::PreparedNeural(const NeuralBenchmark& benchmark,
                               Responses data,
                               const BootstrapOptions& bootstrap,
                               const at::Device& device)
    : benchmark_(benchmark), data_(std::move(data)), bootstrap_(bootstrap), device_(device) {
  drop_unreliable(data_, benchmark_);
}

Part PreparedNeural::make(const std::vector<int64_t>& tested) const {
  const Stage preparing(StageName::kRecordings, benchmark_.identifier);
  Part part;
  auto rows = rows_from(0, data_.n_train);
  rows.insert(rows.end(), tested.begin(), tested.end());
  const auto rows_here = at::tensor(rows, at::kLong);
  part.index = rows_here.to(device_);
  const auto n = static_cast<int64_t>(rows.size());
  part.splits = data_.n_train > 0
                    ? Splits{{rows_from(0, data_.n_train), rows_from(data_.n_train, n)}}
                    : make_splits(benchmark_.splits, data_.stimuli, rows);
  const auto of_trials = at::tensor(tested, at::kLong) - data_.n_train;
  for (const auto& population : data_.populations) {
    part.targets.push_back(population.averaged.index_select(0, rows_here).to(device_));
    part.ceilings.push_back(ceiling_of(population, of_trials));
  }
  part.ceiling = pool_neuroids(part.ceilings);
  if (!benchmark_.ceiled) {
    part.ceiling = undefined_estimate(part.ceiling.per_neuroid.size(1), bootstrap_);
    return part;
  }
  if (!benchmark_.mean_of_populations) bootstrap_over_neuroids(part.ceiling, bootstrap_);
  for (size_t p = 0; p < part.ceilings.size(); ++p) {  // one population is the whole
    if (benchmark_.mean_of_populations || part.ceilings.size() > 1)
      bootstrap_over_neuroids(part.ceilings[p], population_bootstrap(benchmark_, bootstrap_, p));
  }
  return part;
}

Estimate PreparedNeural::ceiling_of(const Population& population, const at::Tensor& rows) const {
  if (!benchmark_.ceiled) return undefined_estimate(population.n_neuroids(), bootstrap_);
  if (population.stored_ceiling.defined()) return aggregate(population.stored_ceiling.unsqueeze(0));
  const auto trials = population.trials.index_select(1, rows);
  if (benchmark_.predictor_ceiling) {
    return aggregate(split_half_predictor(trials.to(device_), trials.isnan().logical_not().any(2),
                                          benchmark_.ceiling_splits, benchmark_.ceiling_seed));
  }
  return aggregate(internal_consistency(trials.to(device_), consistency(benchmark_)));
}

const Part& PreparedNeural::whole() {
  if (!whole_) whole_ = make(rows_from(data_.n_train, data_.stimuli.size()));
  return *whole_;
}

const std::pair<Part, Part>& PreparedNeural::halves() {
  if (!halves_) {
    const auto [even, odd] = alternating(data_.stimuli, benchmark_.select_by, data_.n_train);
    halves_ = {make(even), make(odd)};
  }
  return *halves_;
}

const std::vector<Splits>& PreparedNeural::inner() {
  if (!inner_.empty()) return inner_;
  const auto rows = rows_from(0, data_.stimuli.size());
  for (const auto& split : whole().splits)
    inner_.push_back(inner_splits(benchmark_.splits, data_.stimuli, rows, split.train));
  return inner_;
}

PreparedNeural& prepared_neural(const NeuralBenchmark& benchmark, Workbench& workbench) {
  const auto& options = workbench.options();
  return workbench.once<PreparedNeural>(benchmark.sha256, [&] {
    return PreparedNeural(benchmark, load_responses(benchmark, benchmark.responses),
                          options.bootstrap, options.device);
  });
}

const Recordings& NeuralBenchmark::recordings(Workbench& workbench) const {
  return prepared_neural(*this, workbench).data();
}

}  // namespace cortiscore
