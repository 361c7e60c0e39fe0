#include <algorithm>
#include <map>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/benchmark/benchmark.h"
#include "src/benchmark/data_file.h"
#include "src/core/class_codes.h"
#include "src/data/arrays.h"
#include "src/data/netcdf.h"

namespace cortiscore {
namespace {

Population load_population(const Benchmark& benchmark,
                           const Benchmark::AssemblyFile& entry,
                           const std::string& path,
                           const StimulusSet& all_stimuli,
                           std::vector<std::string>& stimulus_ids) {
  auto assembly = read_assembly(path);
  for (const auto& [coordinate, accepted] : entry.where)
    assembly = select(assembly, coordinate, accepted);
  if (entry.time_ms) assembly = mean_of_bins(assembly, entry.time_ms->first, entry.time_ms->second);
  const auto trials = to_trials(assembly, entry.repetition);
  const std::set<std::string> there(trials.stimulus_ids.begin(), trials.stimulus_ids.end());
  std::vector<std::string> ordered;
  for (const auto& id : all_stimuli.ids()) {
    if (there.contains(id)) ordered.push_back(id);
  }
  if (ordered.size() != there.size())
    all_stimuli.select(trials.stimulus_ids);  // names the one that is missing
  if (stimulus_ids.empty()) stimulus_ids = ordered;
  if (stimulus_ids != ordered) {
    throw bad_input({path, "stimulus_id", std::to_string(ordered.size()) + " stimuli",
                     "the same " + std::to_string(stimulus_ids.size()) +
                         " as the other populations of " + benchmark.identifier,
                     "Populations with other stimuli are another benchmark"});
  }
  std::map<std::string, int64_t> row;
  for (size_t i = 0; i < trials.stimulus_ids.size(); ++i)
    row[trials.stimulus_ids[i]] = static_cast<int64_t>(i);
  std::vector<int64_t> order;
  for (const auto& id : ordered) order.push_back(row[id]);
  Population population;
  population.identifier = entry.identifier;
  population.neuroid_ids = trials.neuroid_ids;
  population.trials = trials.values.index_select(1, at::tensor(order, at::kLong));
  return population;
}

// Leaves out the stimuli for which some neuroid has no trial at all.
void drop_incomplete(NeuralData& data, std::vector<std::string>& stimulus_ids) {
  auto complete = at::ones({static_cast<int64_t>(stimulus_ids.size())}, at::kBool);
  for (const auto& population : data.populations)
    complete &= population.trials.isnan().all(0).any(1).logical_not();
  std::vector<std::string> kept;
  const bool* const keep = complete.const_data_ptr<bool>();
  for (size_t i = 0; i < stimulus_ids.size(); ++i) {
    if (keep[i]) kept.push_back(stimulus_ids[i]);
  }
  const auto rows = complete.nonzero().squeeze(1);
  for (auto& population : data.populations)
    population.trials = population.trials.index_select(1, rows);
  stimulus_ids = std::move(kept);
}

}  // namespace

NeuralData load_neural(const Benchmark& benchmark) {
  const auto stimuli_path = data_file(benchmark, benchmark.stimulus_set);
  NeuralData data;
  const auto all_stimuli = StimulusSet::open(stimuli_path);
  std::vector<std::string> stimulus_ids;
  for (const auto& entry : benchmark.assemblies) {
    const auto path = data_file(benchmark, entry.file);
    data.populations.push_back(load_population(benchmark, entry, path, all_stimuli, stimulus_ids));
    data.data_sha256.push_back(sha256_of_file(path));
  }
  if (benchmark.drop_incomplete) drop_incomplete(data, stimulus_ids);
  data.stimuli = all_stimuli.select(stimulus_ids);
  data.data_sha256.push_back(data.stimuli.sha256());
  return data;
}

Splits make_splits(const SplitRule& rule,
                   const StimulusSet& stimuli,
                   const std::vector<int64_t>& rows) {
  const auto n = static_cast<int64_t>(rows.size());
  if (rule.kind == "shuffle")
    return shuffle_splits(n, rule.n_splits, rule.train_fraction, rule.seed);
  const auto column = stimuli.column(rule.by);
  std::vector<std::string> groups;
  for (const auto row : rows) groups.push_back(column[static_cast<size_t>(row)]);
  if (rule.kind == "leave_one_group_out") return leave_one_group_out(groups);
  return stratified_shuffle_splits(class_codes(groups), rule.n_splits, rule.train_fraction,
                                   rule.seed);
}

}  // namespace cortiscore
