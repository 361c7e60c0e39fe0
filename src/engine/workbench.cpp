#include "src/engine/workbench.h"

#include <numeric>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/ceiling/internal_consistency.h"
#include "src/ops/upper_triangle.h"
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
      population.n_dropped = population.trials.size(2) - kept.size(0);
      population.trials = population.trials.index_select(2, kept);
      std::vector<std::string> ids;
      for (int64_t i = 0; i < kept.numel(); ++i) {
        ids.push_back(
            population.neuroid_ids[static_cast<size_t>(kept.const_data_ptr<int64_t>()[i])]);
      }
      population.neuroid_ids = std::move(ids);
    }
    population.averaged = population.trials.nanmean(0);
    check_finite(population.averaged, "assembly of " + population.identifier, "neuroid",
                 "A stimulus without a single trial for a neuroid cannot be mapped: drop the "
                 "stimulus or the neuroid");
  }
}

std::vector<int64_t> all_rows(const StimulusSet& stimuli) {
  std::vector<int64_t> rows(static_cast<size_t>(stimuli.size()));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  return rows;
}

// Rows of the even-indexed groups of a column, in sorted order of the groups, and of the odd ones.
std::pair<std::vector<int64_t>, std::vector<int64_t>> alternating(const StimulusSet& stimuli,
                                                                  const std::string& by) {
  const auto group_of = stimuli.column(by);
  const std::set<std::string> groups(group_of.begin(), group_of.end());
  std::vector<int64_t> even, odd;
  for (size_t i = 0; i < group_of.size(); ++i) {
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

PreparedNeural::PreparedNeural(const Benchmark& benchmark,
                               NeuralData data,
                               const BootstrapOptions& bootstrap,
                               const at::Device& device)
    : benchmark_(benchmark), data_(std::move(data)), bootstrap_(bootstrap), device_(device) {
  drop_unreliable(data_, benchmark_);
}

Part PreparedNeural::make(std::vector<int64_t> rows) const {
  Part part;
  part.rows = std::move(rows);
  const auto rows_here = at::tensor(part.rows, at::kLong);
  part.index = rows_here.to(device_);
  part.splits = make_splits(benchmark_.splits, data_.stimuli, part.rows);
  for (const auto& population : data_.populations) {
    part.targets.push_back(population.averaged.index_select(0, rows_here).to(device_));
    part.ceilings.push_back(benchmark_.ceiled
                                ? aggregate(internal_consistency(
                                      population.trials.index_select(1, rows_here).to(device_),
                                      consistency(benchmark_)))
                                : undefined_estimate(population.trials.size(2), bootstrap_));
  }
  if (!benchmark_.ceiled) {
    part.ceiling = undefined_estimate(pool_neuroids(part.ceilings).per_neuroid.size(1), bootstrap_);
    return part;
  }
  part.ceiling = pool_neuroids(part.ceilings);
  bootstrap_over_neuroids(part.ceiling, bootstrap_);
  for (auto& ceiling : part.ceilings) {  // one population is the whole
    if (part.ceilings.size() > 1) bootstrap_over_neuroids(ceiling, bootstrap_);
  }
  return part;
}

const Part& PreparedNeural::whole() {
  if (!whole_) whole_ = make(all_rows(data_.stimuli));
  return *whole_;
}

const std::pair<Part, Part>& PreparedNeural::halves() {
  if (!halves_) {
    auto [even, odd] = alternating(data_.stimuli, benchmark_.select_by);
    halves_ = {make(std::move(even)), make(std::move(odd))};
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
  part.subjects = {
      upper_triangle(data_.rdms.index_select(1, index).index_select(2, index)).to(device_),
      index.size(0), benchmark_.comparison};
  part.ceiling = rdm_ceiling(part.subjects, benchmark_.ceiled, bootstrap_);
  return part;
}

const RdmPart& PreparedRdm::whole() {
  if (!whole_) whole_ = make(all_rows(data_.stimuli));
  return *whole_;
}

const std::pair<RdmPart, RdmPart>& PreparedRdm::halves() {
  if (!halves_) {
    const auto [even, odd] = alternating(data_.stimuli, benchmark_.select_by);
    halves_ = {make(even), make(odd)};
  }
  return *halves_;
}

Workbench::Workbench(ScoreOptions options, int64_t stimulus_bytes)
    : options_(std::move(options)), stimulus_bytes_(stimulus_bytes) {}

PreparedNeural& Workbench::neural(const Benchmark& benchmark) {
  auto& prepared = neural_[benchmark.sha256];
  if (!prepared) {
    prepared = std::make_unique<PreparedNeural>(benchmark, load_neural(benchmark),
                                                options_.bootstrap, options_.device);
  }
  return *prepared;
}

PreparedRdm& Workbench::rdm(const Benchmark& benchmark) {
  auto& prepared = rdm_[benchmark.sha256];
  if (!prepared) {
    prepared = std::make_unique<PreparedRdm>(benchmark, load_rdms(benchmark), options_.bootstrap,
                                             options_.device);
  }
  return *prepared;
}

const BehavioralData& Workbench::behavior(const Benchmark& benchmark) {
  auto& data = behavior_[benchmark.sha256];
  if (!data) data = std::make_unique<BehavioralData>(load_behavior(benchmark));
  return *data;
}

const std::vector<std::string>& Workbench::data_sha256(const Benchmark& benchmark) {
  switch (benchmark.kind) {
    case Benchmark::Kind::kMapping:
      return neural(benchmark).data().data_sha256;
    case Benchmark::Kind::kRdm:
      return rdm(benchmark).data().data_sha256;
    default:
      return behavior(benchmark).data_sha256;
  }
}

const StimulusSet& Workbench::stimuli(const Benchmark& benchmark) {
  switch (benchmark.kind) {
    case Benchmark::Kind::kMapping:
      return neural(benchmark).data().stimuli;
    case Benchmark::Kind::kRdm:
      return rdm(benchmark).data().stimuli;
    default:
      return behavior(benchmark).stimuli;
  }
}

Screen& Workbench::screen(const Benchmark& benchmark, const Preprocessing& preprocessing) {
  const auto& stimuli = this->stimuli(benchmark);
  const auto key = data_sha256(benchmark).back() + " " + std::to_string(preprocessing.input_size) +
                   " " + std::to_string(preprocessing.model_degrees) + " " +
                   std::to_string(preprocessing.stimulus_degrees);
  auto& screen = screens_[key];
  if (!screen) {
    const auto bytes = Screen::bytes(stimuli.size(), preprocessing.input_size);
    const bool keep = bytes <= stimulus_bytes_;
    if (keep) stimulus_bytes_ -= bytes;
    screen = std::make_unique<Screen>(stimuli, preprocessing, keep);
  }
  return *screen;
}

}  // namespace cortiscore
