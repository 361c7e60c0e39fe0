#include "src/kinds/choices/definition.h"

#include <cmath>
#include <map>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/kinds/choices/data.h"
#include "src/metric/choice_patterns.h"

namespace cortiscore {
namespace {

// What the cells of a metric on conditions are made of, and whether its ceiling must be given.
struct CellsWanted {
  size_t columns;
  bool more = false;       // or more: of condition_accuracy and value_delta, which trials count
  bool published = false;  // the ceiling
};

const std::map<std::string, CellsWanted>& cells_wanted() {
  static const std::map<std::string, CellsWanted> wanted = {
      {"accuracy_delta", {1}},
      {"condition_accuracy", {1, true}},
      {"value_delta", {2, true, true}},
      {"tasks_consistency", {1, false, true}},
      {"confusion_similarity", {0, false, true}},
      {"match", {0, false, true}}};
  return wanted;
}

// Metrics whose value is not divided by any ceiling.
bool is_unceiled(const std::string& metric) {
  return metric == "shape_bias" || metric == "shape_match" || metric == "accuracy";
}

void need_choices(const ChoiceBenchmark& b) {
  if (b.choices.empty() && b.ceiled)
    throw bad_input({b.path, "choices", "none", "the choices that " + b.metric + " compares", ""});
}

}  // namespace

const std::vector<std::string>& choice_metrics() {
  static const std::vector<std::string> names = {"error_consistency",
                                                 "accuracy_distance",
                                                 "accuracy_delta",
                                                 "condition_accuracy",
                                                 "value_delta",
                                                 "tasks_consistency",
                                                 "confusion_similarity",
                                                 "accuracy",
                                                 "i1",
                                                 "i1n",
                                                 "i2",
                                                 "i2n",
                                                 "shape_bias",
                                                 "shape_match"};
  return names;
}

void ChoiceBenchmark::read_choices(ManifestReader& reader) {
  choices = reader.get("choices", std::string());
  truth_column = reader.get(reader.need("readout"), "truth", std::string("truth"));
  incomplete_choices =
      reader.word("incomplete_choices", reader.get("incomplete_choices", std::string("refuse")),
                  {"refuse", "skip"}) == "skip";
  const auto sample = reader.get("sample", Json::object());
  sample_every = reader.within(sample, "every", sample_every, 1, 1e9);
  sample_by = reader.get(sample, "by", sample_by);
  const auto excluded = reader.get("exclude", Json::object());
  for (const auto& [column, values] : excluded.items())
    exclude.emplace_back(column, values.get<std::vector<std::string>>());

  const auto& definition = reader.need("metric");
  ceiled = !is_unceiled(metric);
  // What engineering asks for is not divided by a ceiling anywhere, and has a tree of its own.
  composite = composite && (ceiled || parent == "engineering");
  if (metric.starts_with("shape_"))
    texture_column = reader.get(definition, "texture", std::string("texture"));
  scale = reader.within(definition, "scale", 1.0, 1e-300, 1e300);
  lapse = reader.within(definition, "lapse", 0.0, 0, 1 - 1e-6);
  clipped = reader.get(definition, "clip", false);
  const auto columns_of_cells = reader.get(definition, "cells", Json::array());
  for (const auto& cell : columns_of_cells)
    cells.push_back({cell.at("column"), cell.value("values", std::vector<std::string>())});
  fixed_ceiling = reader.ceiling_of_behavior();
  const auto found = cells_wanted().find(metric);
  if (found == cells_wanted().end()) return reader.refuse_published(*this, fixed_ceiling);
  const auto& wanted = found->second;
  if (wanted.more ? cells.size() < wanted.columns : cells.size() != wanted.columns) {
    throw bad_input(
        {path, "metric.cells", std::to_string(cells.size()) + " columns",
         (wanted.more ? "at least " : "") + std::to_string(wanted.columns) + ", for " + metric,
         ""});
  }
  if (wanted.published && std::isnan(fixed_ceiling))
    throw bad_input(
        {path, "ceiling", "none", R"({"name": "published", "value": ...}, for )" + metric, ""});
}

std::shared_ptr<const Benchmark> ReadoutBenchmark::read(Manifest manifest, ManifestReader& reader) {
  auto benchmark = std::make_shared<ReadoutBenchmark>(std::move(manifest));
  auto& b = *benchmark;
  b.read_choices(reader);
  need_choices(b);
  const auto& readout = reader.need("readout");
  b.fit_stimulus_set = reader.get(readout, "fit_stimulus_set", std::string());
  b.role_column = reader.get(readout, "role", std::string("role"));
  b.label_columns = reader.texts(readout, "label", {"object_name"});
  b.readout_c = reader.within(readout, "C", 1e-3, 1e-300, 1e300);
  b.skipna = reader.get(reader.need("metric"), "skipna", false);
  return benchmark;
}

std::shared_ptr<const Benchmark> DecisionsBenchmark::read(Manifest manifest,
                                                          ManifestReader& reader) {
  auto benchmark = std::make_shared<DecisionsBenchmark>(std::move(manifest));
  auto& b = *benchmark;
  b.read_choices(reader);
  need_choices(b);
  const auto& readout = reader.need("readout");
  if (is_pattern_name(b.metric)) {
    throw bad_input({b.path, "readout.name", readout.value("name", std::string()),
                     "logistic, for " + b.metric, ""});
  }
  static_cast<void>(reader.need(readout, "classes"));
  b.classes = reader.texts(readout, "classes", {});
  b.offered_from_truth =
      reader.word("readout.offered", reader.get(readout, "offered", std::string("every class")),
                  {"every class", "truth"}) == "truth";
  b.n_outputs = reader.within(readout, "n_outputs", int64_t{1000}, 1, 1e9);
  return benchmark;
}

std::shared_ptr<const Benchmark> OddOneOutBenchmark::read(Manifest manifest,
                                                          ManifestReader& reader) {
  auto benchmark = std::make_shared<OddOneOutBenchmark>(std::move(manifest));
  benchmark->read_choices(reader);
  return benchmark;
}

std::vector<std::string> ChoiceBenchmark::files() const {
  std::vector<std::string> all = {stimulus_set};
  if (!choices.empty()) all.push_back(choices);
  return all;
}

std::vector<std::string> ReadoutBenchmark::files() const {
  auto all = ChoiceBenchmark::files();
  if (!fit_stimulus_set.empty()) all.insert(all.begin() + 1, fit_stimulus_set);
  return all;
}

std::vector<std::string> DecisionsBenchmark::files() const {
  auto all = ChoiceBenchmark::files();
  all.insert(all.end(), classes.begin(), classes.end());
  return all;
}

LayerRule ReadoutBenchmark::layer_rule() const {
  return LayerRule(LayerRule::Otherwise::kBeforeOutput);
}

LayerRule DecisionsBenchmark::layer_rule() const {
  return LayerRule(LayerRule::Otherwise::kOutput);
}

LayerRule OddOneOutBenchmark::layer_rule() const {
  return LayerRule(LayerRule::Otherwise::kBeforeOutput);
}

std::string ChoiceBenchmark::ceiling_name() const {
  if (!ceiled) return "none";
  if (!std::isnan(fixed_ceiling)) return "published";
  if (metric == "accuracy_delta") return "subject halves";
  if (metric == "condition_accuracy") return "each subject with the others";
  return is_pattern_name(metric) ? "trial halves" : "subject pairs";
}

namespace {

Evaluation ceiling_of(const ChoiceBenchmark& benchmark, const ChoiceData& data) {
  if (!std::isnan(benchmark.fixed_ceiling)) return constant_evaluation(benchmark.fixed_ceiling);
  if (is_cell_metric(benchmark.metric)) return *evaluate_cell_ceiling(data.cell_metric, data.cells);
  if (is_pattern_name(benchmark.metric)) {
    return evaluate_pattern(pattern_name(benchmark.metric), {}, data.trials,
                            at::tensor(data.truth, at::kLong),
                            static_cast<int64_t>(data.objects.size()), true);
  }
  return evaluate_choice_ceiling(choice_metric(benchmark.metric), data.choices);
}

}  // namespace

void ChoiceBenchmark::measure(Json& measured, Workbench& workbench) const {
  const auto& of = data(workbench);
  measured["subjects"] = of.subjects.size();
  if (of.n_fit) measured["stimuli_fit"] = of.n_fit;
  if (is_pattern_name(metric)) measured["trials"] = of.trials.stimulus.size(0);
  if (of.triplets.defined()) measured["triplets"] = of.triplets.size(0);
  measured["categories"] = of.class_names;
  if (ceiled) add_ceiling(measured, ceiling_of(*this, of).estimate);
}

}  // namespace cortiscore
