#include "src/benchmark/split_rule.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "cortiscore/error.h"
#include "src/core/class_codes.h"
#include "src/resample/k_folds.h"

namespace cortiscore {

SplitRule read_splits(ManifestReader& reader, const std::vector<std::string>& kinds) {
  const auto& splits = reader.need("splits");
  SplitRule rule = {splits.at("kind"),
                    reader.get(splits, "by", std::string()),
                    reader.within(splits, "n_splits", int64_t{10}, 1, 1e6),
                    reader.within(splits, "train_fraction", 0.9, 1e-6, 1 - 1e-6),
                    reader.get(splits, "seed", uint32_t{1}),
                    reader.get(splits, "disjoint", std::string())};
  reader.word("splits.kind", rule.kind, kinds);
  return rule;
}

std::string text_of(const SplitRule& rule) {
  if (rule.kind == "train_test") return "one stimulus set trains, another tests";
  if (rule.kind == "column") return "as the column " + rule.by + " says";
  if (rule.kind == "leave_one_group_out") return "leave one " + rule.by + " out";
  char text[96];
  std::snprintf(text, sizeof text, "%lld of %.0f %% train, seed %u",
                static_cast<long long>(rule.n_splits), 100 * rule.train_fraction, rule.seed);
  std::string all = text;
  if (rule.kind == "stratified_shuffle") all += ", stratified by " + rule.by;
  if (!rule.disjoint.empty()) all += ", no " + rule.disjoint + " in both";
  return all;
}

namespace {

// Leaves out of every train set what shares a value of a column with the test set.
void make_disjoint(const std::vector<std::string>& values,
                   const std::string& where,
                   const std::string& column,
                   const std::string& action,
                   Splits& splits) {
  for (auto& split : splits) {
    std::set<std::string> tested;
    for (const auto i : split.test) tested.insert(values[static_cast<size_t>(i)]);
    std::erase_if(split.train,
                  [&](int64_t i) { return tested.contains(values[static_cast<size_t>(i)]); });
    if (split.train.empty()) {
      throw bad_input({where, column, "a test set with every one of its values",
                       "values that are not tested, to train on", action});
    }
  }
}

std::vector<std::string> values_of(const StimulusSet& stimuli,
                                   const std::string& column,
                                   const std::vector<int64_t>& rows) {
  const auto all = stimuli.column(column);
  std::vector<std::string> values;
  for (const auto row : rows) values.push_back(all[static_cast<size_t>(row)]);
  return values;
}

// Classes as numbers in order of their first presentation.
std::vector<int64_t> codes_by_appearance(const std::vector<std::string>& values) {
  std::map<std::string, int64_t> code;
  std::vector<int64_t> codes;
  for (const auto& value : values)
    codes.push_back(code.try_emplace(value, static_cast<int64_t>(code.size())).first->second);
  return codes;
}

Splits drawn_splits(const SplitRule& rule,
                    const StimulusSet& stimuli,
                    const std::vector<int64_t>& rows) {
  const auto n = static_cast<int64_t>(rows.size());
  if (rule.kind == "shuffle")
    return shuffle_splits(n, rule.n_splits, rule.train_fraction, rule.seed);
  const auto groups = values_of(stimuli, rule.by, rows);
  if (rule.kind == "leave_one_group_out") return leave_one_group_out(groups);
  return stratified_shuffle_splits(class_codes(groups), rule.n_splits, rule.train_fraction,
                                   rule.seed);
}

}  // namespace

Splits make_splits(const SplitRule& rule,
                   const StimulusSet& stimuli,
                   const std::vector<int64_t>& rows) {
  auto splits = drawn_splits(rule, stimuli, rows);
  if (!rule.disjoint.empty()) {
    make_disjoint(values_of(stimuli, rule.disjoint, rows), stimuli.path(), rule.disjoint, "",
                  splits);
  }
  return splits;
}

Splits inner_splits(const SplitRule& rule,
                    const StimulusSet& stimuli,
                    const std::vector<int64_t>& rows,
                    const std::vector<int64_t>& train) {
  constexpr int64_t kFolds = 5;
  std::vector<int64_t> own;  // rows of the stimulus set
  for (const auto i : train) own.push_back(rows[static_cast<size_t>(i)]);
  const auto n = static_cast<int64_t>(own.size());
  const bool groups = rule.kind == "leave_one_group_out";
  const auto classes = groups || rule.kind == "stratified_shuffle"
                           ? values_of(stimuli, rule.by, own)
                           : std::vector<std::string>();
  const auto n_groups =
      static_cast<int64_t>(std::set<std::string>(classes.begin(), classes.end()).size());
  const auto k = std::min(kFolds, groups ? n_groups : n / 2);
  if (k < 2) {
    throw bad_input(
        {stimuli.path(), groups ? rule.by : "train presentations",
         groups ? "one group to train on" : std::to_string(n) + " in a split",
         groups ? "at least two, to choose a layer on" : "at least four, to choose a layer on",
         "Commit to a layer with --layer"});
  }
  auto splits = groups            ? group_k_folds(classes, k)
                : classes.empty() ? k_folds(n, k, rule.seed)
                                  : stratified_k_folds(codes_by_appearance(classes), k, rule.seed);
  if (!rule.disjoint.empty())
    make_disjoint(
        values_of(stimuli, rule.disjoint, own), stimuli.path(), rule.disjoint,
        "This is among the train presentations of a split, where a layer is chosen: commit "
        "to one with --layer",
        splits);
  for (auto& split : splits) {
    for (auto* side : {&split.train, &split.test}) {
      for (auto& i : *side) i = train[static_cast<size_t>(i)];
    }
  }
  return splits;
}

}  // namespace cortiscore
