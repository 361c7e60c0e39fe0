#include "src/given/choice_cells.h"

#include <algorithm>
#include <map>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/benchmark/coded_choices.h"

namespace cortiscore {

at::Tensor right_on(const ChoiceTable& network, const std::vector<std::string>& stimuli) {
  std::map<std::string, size_t> row;
  for (size_t i = 0; i < network.stimulus_id.size(); ++i) {
    if (!row.emplace(network.stimulus_id[i], i).second) {
      throw bad_input({network.table.path, "row " + std::to_string(i + 1),
                       "stimulus " + network.stimulus_id[i] + " a second time",
                       "each stimulus once", ""});
    }
  }
  const auto chosen = network.chosen();
  auto right = at::empty({static_cast<int64_t>(stimuli.size())}, at::kBool);
  for (size_t i = 0; i < stimuli.size(); ++i) {
    const auto found = row.find(stimuli[i]);
    if (found == row.end()) {
      throw bad_input({network.table.path, "column stimulus_id", "no " + stimuli[i],
                       "every stimulus of the target",
                       "Show the network all stimuli, or drop them from the target"});
    }
    right.mutable_data_ptr<bool>()[i] = chosen[found->second] == network.truth[found->second];
  }
  return right;
}

CellChoices cell_choices(const std::string& metric,
                         const ChoiceTable* network,
                         const ChoiceTable& subjects,
                         const std::string& whole,
                         const std::string& manipulated) {
  const bool delta = metric == "accuracy_delta", confusion = metric == "confusion_similarity";
  if (delta && (whole.empty() || manipulated.empty())) {
    throw Error(ErrorKind::kUsage,
                "accuracy_delta takes --whole and --manipulated, two of the conditions.");
  }
  std::vector<const ChoiceTable*> both = {&subjects};
  if (network) both.push_back(network);
  std::vector<Table> tables;
  std::vector<std::string> ids, names;
  for (const auto* choices : both) {
    // The columns that a cell is made of, under names of their own: a file may lack them.
    const auto chosen = choices->chosen();
    Table table{choices->table.path, {"condition", "truth", "choice"}, {}};
    for (size_t i = 0; i < chosen.size(); ++i)
      table.rows.push_back({choices->condition[i], choices->truth[i], chosen[i]});
    tables.push_back(std::move(table));
    ids.insert(ids.end(), choices->stimulus_id.begin(), choices->stimulus_id.end());
    names.insert(names.end(), choices->truth.begin(), choices->truth.end());
    if (confusion) names.insert(names.end(), chosen.begin(), chosen.end());
  }
  const auto stimuli = distinct(ids), classes = distinct(names);
  std::vector<CellColumn> columns;
  if (delta)
    columns = {{"condition", {whole, manipulated}}, {"truth", classes}};
  else if (confusion)
    columns = {{"truth", classes}, {"choice", classes}};
  else
    columns = {{"condition", distinct(subjects.condition)}};
  if (!confusion) {  // both observers know every condition
    for (const auto& table : tables) static_cast<void>(with_values({columns[0]}, {&table}));
  }
  const auto trials = [&](size_t i, const std::vector<std::string>& observers) {
    return trials_in(*both[i], cells_of(tables[i], columns), count_of(columns), stimuli, observers);
  };
  const auto observers = distinct(subjects.subject);
  if (delta && observers.size() < 3) {
    throw bad_input({subjects.table.path, "column subject",
                     std::to_string(observers.size()) + " subjects", "at least 3", ""});
  }
  CellChoices out;
  out.metric.name = metric;
  out.metric.subject_numbers = subject_numbers(observers);
  out.metric.subjects = observers;
  out.subjects = trials(0, observers);
  if (network) out.network = trials(1, {});
  return out;
}

}  // namespace cortiscore
