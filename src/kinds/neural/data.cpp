#include "src/kinds/neural/data.h"

#include <cmath>

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
                               const std::set<Axis>& over,
                               const at::Device& device)
    : benchmark_(benchmark),
      data_(std::move(data)),
      bootstrap_(bootstrap),
      over_(over),
      device_(device) {
  drop_unreliable(data_, benchmark_);
}

Part PreparedNeural::make(const std::vector<int64_t>& tested, uint64_t place) const {
  const Stage preparing(StageName::kRecordings, benchmark_.identifier);
  Part part;
  part.drawn = {over_, static_cast<int64_t>(tested.size()), bootstrap_.seed + place};
  part.n_train = data_.n_train;
  auto rows = rows_from(0, data_.n_train);
  rows.insert(rows.end(), tested.begin(), tested.end());
  const auto rows_here = at::tensor(rows, at::kLong);
  part.index = rows_here.to(device_);
  const auto n = static_cast<int64_t>(rows.size());
  part.splits = data_.n_train > 0
                    ? Splits{{rows_from(0, data_.n_train), rows_from(data_.n_train, n)}}
                    : make_splits(benchmark_.splits, data_.stimuli, rows);
  const auto of_trials = at::tensor(tested, at::kLong) - data_.n_train;
  std::vector<PerDraw> ceilings;
  for (const auto& population : data_.populations) {
    part.targets.push_back(population.averaged.index_select(0, rows_here).to(device_));
    ceilings.push_back(ceiling_of(population, of_trials));
    part.ceilings.push_back(benchmark_.ceiled
                                ? aggregate(ceilings.back()(Draws{}).squeeze(0))
                                : undefined_estimate(population.n_neuroids(), bootstrap_));
  }
  part.ceiling = pool_neuroids(part.ceilings);
  if (!benchmark_.ceiled) {
    part.ceiling = undefined_estimate(part.ceiling.per_neuroid.size(1), bootstrap_);
    return part;
  }
  // Of a stored ceiling presentations cannot be drawn: it stands as it is.
  const bool fixed =
      !part.drawn.draw(Axis::kNeuroid) && !benchmark_.responses.ceiling_coordinate.empty();
  const auto draw = [&](Estimate& ceiling, const std::vector<PerDraw>& of,
                        const BootstrapOptions& bootstrap) {
    bootstrap_over(ceiling, part.drawn, of, bootstrap, device_);
    if (fixed) ceiling.error = ceiling.ci_lo = ceiling.ci_hi = std::nan("");
  };
  if (!benchmark_.mean_of_populations) draw(part.ceiling, ceilings, bootstrap_);
  for (size_t p = 0; p < part.ceilings.size(); ++p) {  // one population is the whole
    if (benchmark_.mean_of_populations || part.ceilings.size() > 1)
      draw(part.ceilings[p], {ceilings[p]}, population_bootstrap(benchmark_, bootstrap_, p));
  }
  return part;
}

PerDraw PreparedNeural::ceiling_of(const Population& population, const at::Tensor& rows) const {
  if (!benchmark_.ceiled) return {};
  if (population.stored_ceiling.defined()) {
    return
        [stored = population.stored_ceiling.to(at::kDouble).to(device_)](const Draws& /*draws*/) {
          return stored.reshape({1, 1, -1});
        };
  }
  const auto trials = population.trials.index_select(1, rows);
  if (benchmark_.predictor_ceiling) {
    return
        [here = trials.to(device_), shown = trials.isnan().logical_not().any(2),
         n_splits = benchmark_.ceiling_splits, seed = benchmark_.ceiling_seed](const Draws& draws) {
          return split_half_predictor_per_draw(here, shown, n_splits, seed, draws);
        };
  }
  return [here = trials.to(device_), how = consistency(benchmark_)](const Draws& draws) {
    return internal_consistency_per_draw(here, how, draws);
  };
}

const Part& PreparedNeural::whole() {
  if (!whole_) whole_ = make(rows_from(data_.n_train, data_.stimuli.size()), 0);
  return *whole_;
}

const std::pair<Part, Part>& PreparedNeural::halves() {
  if (!halves_) {
    const auto [even, odd] = alternating(data_.stimuli, benchmark_.select_by, data_.n_train);
    halves_ = {make(even, 0), make(odd, 1)};
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
                          options.bootstrap, options.over, options.device);
  });
}

const Recordings& NeuralBenchmark::recordings(Workbench& workbench) const {
  return prepared_neural(*this, workbench).data();
}

}  // namespace cortiscore
