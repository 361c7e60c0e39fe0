#include "src/engine/workbench.h"

#include <numeric>
#include <set>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/activations/extract.h"
#include "src/benchmark/data_file.h"
#include "src/ceiling/internal_consistency.h"
#include "src/ceiling/split_half_predictor.h"
#include "src/score/diagnostics.h"

namespace cortiscore {
namespace {

InternalConsistencyOptions consistency(const Benchmark& benchmark) {
  return {benchmark.ceiling_splits, benchmark.ceiling_seed};
}

void drop_unreliable(NeuralData& data, const Benchmark& benchmark) {
  for (auto& population : data.populations) {
    if (benchmark.keep_above >= 0) {
      const auto per_neuroid = internal_consistency(population.trials, consistency(benchmark));
      const auto kept = (per_neuroid.nanmean(0) > benchmark.keep_above).nonzero().squeeze(1);
      population.n_dropped = population.n_neuroids() - kept.size(0);
      for (const auto& warning :
           cortiscore::left_out(population.n_dropped, population.n_neuroids(),
                                "neuroids are left out: their internal consistency is not above " +
                                    nlohmann::json(benchmark.keep_above).dump() + ", or undefined"))
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

std::vector<int64_t> rows_from(int64_t begin, int64_t end) {
  std::vector<int64_t> rows(static_cast<size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

// Rows from `first` on of the even-indexed groups of a column, in sorted order of the groups, and of the odd ones.
std::pair<std::vector<int64_t>, std::vector<int64_t>> alternating(const StimulusSet& stimuli,
                                                                  const std::string& by,
                                                                  int64_t first = 0) {
  const auto group_of = stimuli.column(by);
  const std::set<std::string> groups(group_of.begin() + first, group_of.end());
  std::vector<int64_t> even, odd;
  for (auto i = static_cast<size_t>(first); i < group_of.size(); ++i) {
    const auto place = std::distance(groups.begin(), groups.find(group_of[i]));
    (place % 2 == 0 ? even : odd).push_back(static_cast<int64_t>(i));
  }
  if (odd.empty()) {
    throw bad_input({stimuli.path(), by, "one group",
                     "at least two, to choose a layer on one half and score on the other",
                     "Commit to a layer with --layer"});
  }
  return {even, odd};
}

}  // namespace

BootstrapOptions population_bootstrap(const Benchmark& benchmark,
                                      BootstrapOptions options,
                                      size_t population) {
  if (benchmark.mean_of_populations) options.seed += population;
  return options;
}

PreparedNeural::PreparedNeural(const Benchmark& benchmark,
                               NeuralData data,
                               const BootstrapOptions& bootstrap,
                               const at::Device& device)
    : benchmark_(benchmark), data_(std::move(data)), bootstrap_(bootstrap), device_(device) {
  drop_unreliable(data_, benchmark_);
}

Part PreparedNeural::make(const std::vector<int64_t>& tested) const {
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

PreparedRdm::PreparedRdm(const Benchmark& benchmark,
                         RdmData data,
                         const BootstrapOptions& bootstrap,
                         const at::Device& device)
    : benchmark_(benchmark), data_(std::move(data)), bootstrap_(bootstrap), device_(device) {}

RdmPart PreparedRdm::make(const std::vector<int64_t>& rows) const {
  const auto index = at::tensor(rows, at::kLong);
  RdmPart part;
  part.index = index.to(device_);
  const auto among = [&](const at::Tensor& rdms) {
    return compared_pairs(rdms.index_select(1, index).index_select(2, index), benchmark_.comparison)
        .to(device_);
  };
  part.subjects = {among(data_.rdms), index.size(0), benchmark_.comparison};
  if (!benchmark_.ceiled)
    part.ceiling = undefined_estimate(data_.rdms.size(0), bootstrap_);
  else
    part.ceiling = rdm_ceiling(compared_for_ceiling(part.subjects, among), bootstrap_);
  return part;
}

RdmCeiling PreparedRdm::compared_for_ceiling(
    const SubjectRdms& subjects, const std::function<at::Tensor(const at::Tensor&)>& among) const {
  if (data_.held_out.defined()) {
    return {{among(data_.held_out), subjects.n_presentations, subjects.comparison},
            among(data_.others)};
  }
  switch (benchmark_.rdm_bound) {
    case Benchmark::RdmBound::kUpper:
      return upper_bound(subjects);
    case Benchmark::RdmBound::kLower:
      return lower_bound(subjects);
    default:
      return pairs_of_subjects(subjects);
  }
}

const RdmPart& PreparedRdm::whole() {
  if (!whole_) whole_ = make(rows_from(0, data_.stimuli.size()));
  return *whole_;
}

const std::pair<RdmPart, RdmPart>& PreparedRdm::halves() {
  if (!halves_) {
    const auto [even, odd] = alternating(data_.stimuli, benchmark_.select_by);
    halves_ = {make(even), make(odd)};
  }
  return *halves_;
}

namespace {

// What is made when it is first asked for.
template <typename T, typename Make>
T& once(std::map<std::string, std::unique_ptr<T>>& made,
        const std::string& name,
        const Make& make) {
  auto& one = made[name];
  if (!one) one = std::make_unique<T>(make());
  return *one;
}

}  // namespace

Workbench::Workbench(ScoreOptions options, bool many_networks, int64_t stimulus_bytes)
    : options_(std::move(options)),
      many_networks_(many_networks),
      stimulus_bytes_(stimulus_bytes) {}

PreparedNeural& Workbench::neural(const Benchmark& benchmark) {
  return once(neural_, benchmark.sha256, [&] {
    return PreparedNeural(benchmark, load_neural(benchmark), options_.bootstrap, options_.device);
  });
}

PreparedRdm& Workbench::rdm(const Benchmark& benchmark) {
  return once(rdm_, benchmark.sha256, [&] {
    return PreparedRdm(benchmark, load_rdms(benchmark), options_.bootstrap, options_.device);
  });
}

const BehavioralData& Workbench::behavior(const Benchmark& benchmark) {
  return once(behavior_, benchmark.sha256, [&] { return load_behavior(benchmark); });
}

const SolutionTimeData& Workbench::solution_times(const Benchmark& benchmark) {
  return once(solution_times_, benchmark.sha256, [&] { return load_solution_times(benchmark); });
}

const PropertyData& Workbench::properties(const Benchmark& benchmark) {
  return once(properties_, benchmark.sha256, [&] {
    return load_properties(benchmark, [&](const std::string& file) -> const OpenedStimuli& {
      return opened(benchmark, file);
    });
  });
}

const FactorData& Workbench::factors(const Benchmark& benchmark) {
  // Both factors, in every region, are asked of the same pairs.
  return once(factors_,
              data_file(benchmark, benchmark.stimulus_set) + " " + name_of_pairs(benchmark),
              [&] { return load_factors(benchmark); });
}

const ThresholdData& Workbench::thresholds(const Benchmark& benchmark) {
  return once(thresholds_, benchmark.sha256, [&] {
    return load_thresholds(benchmark, [&](const std::string& file) -> const OpenedStimuli& {
      return opened(benchmark, file);
    });
  });
}

std::map<std::string, at::Tensor>& Workbench::responses(const std::string& of) {
  if (responses_of_ != of) responses_.clear();
  responses_of_ = of;
  return responses_;
}

const OpenedStimuli& Workbench::opened(const Benchmark& benchmark, const std::string& file) {
  const auto path = data_file(benchmark, file);
  return once(opened_, path, [&] { return open_stimuli(path); });
}

const std::vector<std::string>& Workbench::data_sha256(const Benchmark& benchmark) {
  switch (benchmark.kind) {
    case Benchmark::Kind::kMapping:
      return neural(benchmark).data().data_sha256;
    case Benchmark::Kind::kRdm:
      return rdm(benchmark).data().data_sha256;
    case Benchmark::Kind::kSolutionTimes:
      return solution_times(benchmark).data_sha256;
    case Benchmark::Kind::kProperty:
      return properties(benchmark).data_sha256;
    case Benchmark::Kind::kFactors:
      return factors(benchmark).data_sha256;
    case Benchmark::Kind::kThreshold:
      return thresholds(benchmark).data_sha256;
    case Benchmark::Kind::kStimuli:
    case Benchmark::Kind::kDomains:
      return opened(benchmark, benchmark.stimulus_set).data_sha256;
    default:
      return behavior(benchmark).data_sha256;
  }
}

std::vector<std::string> Workbench::left_out(const Benchmark& benchmark) {
  switch (benchmark.kind) {
    case Benchmark::Kind::kMapping:
      return neural(benchmark).data().warnings;
    case Benchmark::Kind::kRdm:
      return rdm(benchmark).data().warnings;
    case Benchmark::Kind::kSolutionTimes:
      return solution_times(benchmark).warnings;
    case Benchmark::Kind::kProperty:
      return properties(benchmark).warnings;
    case Benchmark::Kind::kThreshold:
      return thresholds(benchmark).warnings;
    case Benchmark::Kind::kFactors:
    case Benchmark::Kind::kStimuli:
    case Benchmark::Kind::kDomains:
      return {};
    default:
      return behavior(benchmark).warnings;
  }
}

const StimulusSet& Workbench::stimuli(const Benchmark& benchmark) {
  switch (benchmark.kind) {
    case Benchmark::Kind::kMapping:
      return neural(benchmark).data().stimuli;
    case Benchmark::Kind::kRdm:
      return rdm(benchmark).data().stimuli;
    case Benchmark::Kind::kSolutionTimes:
      return solution_times(benchmark).stimuli;
    case Benchmark::Kind::kProperty:
      return properties(benchmark).stimuli;
    case Benchmark::Kind::kFactors:
      return factors(benchmark).stimuli;
    case Benchmark::Kind::kThreshold:
      return thresholds(benchmark).stimuli;
    case Benchmark::Kind::kStimuli:
    case Benchmark::Kind::kDomains:
      return opened(benchmark, benchmark.stimulus_set).stimuli;
    default:
      return behavior(benchmark).stimuli;
  }
}

Screen& Workbench::screen(const Benchmark& benchmark, const Preprocessing& preprocessing) {
  return screen_of(stimuli(benchmark), data_sha256(benchmark).back(), preprocessing);
}

const StimulusSet& Workbench::photos() {
  if (!photos_) {
    photos_ = StimulusSet::open(options_.reference_photos);
    if (photos_->size() < 2) {
      throw bad_input({photos_->path(), "rows", std::to_string(photos_->size()),
                       "at least 2 reference photos (the platform takes 1000)", ""});
    }
  }
  return *photos_;
}

std::pair<int64_t, std::string> Workbench::reference_photos() {
  return {photos().size(), photos().sha256()};
}

Screen* Workbench::reference(const Network& network) {
  if (options_.reference_photos.empty()) return nullptr;
  return &screen_of(photos(), photos().path(), preprocessing_of(network, 0));
}

Screen& Workbench::screen_of(const StimulusSet& stimuli,
                             const std::string& name,
                             const Preprocessing& preprocessing) {
  const auto key = name + " " + std::to_string(preprocessing.input_size) + " " +
                   std::to_string(preprocessing.model_degrees) + " " +
                   std::to_string(preprocessing.stimulus_degrees) + " " +
                   std::to_string(preprocessing.trials);
  auto& screen = screens_[key];
  if (!screen) {
    const auto bytes =
        Screen::bytes(stimuli.size() * preprocessing.trials, preprocessing.input_size);
    const bool may_keep = bytes <= stimulus_bytes_;
    if (may_keep) stimulus_bytes_ -= bytes;
    screen = std::make_unique<Screen>(stimuli, preprocessing, may_keep);
    if (many_networks_) screen->keep();
  }
  return *screen;
}

}  // namespace cortiscore
