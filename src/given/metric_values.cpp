#include <algorithm>
#include <charconv>
#include <cmath>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/data/arrays.h"
#include "src/data/choices.h"
#include "src/data/thresholds.h"
#include "src/given/families.h"
#include "src/given/rows.h"
#include "src/mapping/logistic.h"
#include "src/metric/factor_terms.h"
#include "src/metric/property.h"
#include "src/metric/threshold.h"
#include "src/metric/value_delta.h"
#include "src/score/behavior.h"
#include "src/score/bootstrap_error.h"
#include "src/score/choices.h"
#include "src/score/diagnostics.h"
#include "src/score/threshold_score.h"

namespace cortiscore {

std::vector<double> read_values(const Input& input) {
  const auto values = read_array(input).to(at::kDouble).flatten().contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

namespace {

const std::vector<std::string> kFiles = {"source", "target", "train-source", "test-source"};

// An array of any shape, the one that --variable names.
at::Tensor array_of(const MetricArguments& a, const char* flag, const Input& input) {
  return read_array(input, Variables(a.variables, kFiles).of(flag, input));
}

int64_t count_nan(const std::vector<double>& values) {
  return std::count_if(values.begin(), values.end(), [](double v) { return std::isnan(v); });
}

Evaluation delta_of_values(const MetricArguments& a, MetricResult& /*more*/) {
  require(a, !a.target.empty(), "--target");
  Rows rows;
  const auto list = [&](const char* flag, const Input& input) {
    const auto variable = Variables(a.variables, kFiles).of(flag, input);
    LabelledArray array;
    const auto raw = read_array(input, variable);
    const auto& path = input.name();
    const bool may_name = input.is_file() ? !path.ends_with(".npy") && !path.ends_with(".npz")
                                          : !input.array()->coords.empty();
    if (may_name && raw.squeeze().dim() == 1) {
      array = read_labelled(input, {"presentation"}, "1: a value a stimulus", variable);
    } else {  // of any shape: value by value
      array.path = path;
      array.is_file = input.is_file();
      array.values = raw.flatten();
      array.presentation_axes = {0};
    }
    rows.match(array, "Average the values of a stimulus");
    return array.values.to(at::kDouble).contiguous();
  };
  const auto x = list("source", a.source), y = list("target", a.target);
  rows.say();
  if (x.numel() != y.numel())
    throw bad_input({a.target.name(), "values", std::to_string(y.numel()),
                     std::to_string(x.numel()) + " as in " + a.source.name(), ""});
  const auto of_pairs = value_delta(x, y, a.scale);
  const auto* const first = of_pairs.const_data_ptr<double>();
  const std::vector<double> scores(first, first + of_pairs.numel());
  auto e = of_values(scores, "value");
  e.warnings = left_out(count_nan(scores), static_cast<int64_t>(scores.size()),
                        "pairs of values hold NaN and are left out of the mean");
  e.estimate.error = NAN;  // the platform declares none
  return e;
}

double threshold_of(const MetricArguments& a, const Input& input) {
  const auto table = read_choices(input);
  const auto chosen = table.chosen();
  std::vector<bool> correct;
  double sum = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    correct.push_back(chosen[i] == table.truth[i]);
    sum += correct.back() ? 1 : 0;
  }
  return model_threshold(accuracy_by(table.numbers(a.variables.front()), correct),
                         sum / static_cast<double>(correct.size()), a.accuracy);
}

Evaluation threshold(const MetricArguments& a, MetricResult& more) {
  require(a, !a.target.empty(), "--target (subjects' thresholds)");
  require(a, !a.variables.empty(), "--variable");
  double model = threshold_of(a, a.source);
  const auto given = read_thresholds(a.target);
  auto subjects = given.values;
  if (a.name == "threshold_elevation") {
    require(a, !a.baseline_source.empty(), "--baseline-source");
    require(a, !a.baseline_target.empty(), "--baseline-target");
    const double baseline = threshold_of(a, a.baseline_source);
    const auto given_baselines = read_thresholds(a.baseline_target);
    auto baselines = given_baselines.values;
    if (!given.subjects.empty() && !given_baselines.subjects.empty()) {
      const auto places =
          places_of(given.subjects, a.target.name(), given_baselines.subjects,
                    a.baseline_target.name(), "subject", "Give each subject one threshold");
      std::vector<double> in_order;
      for (const auto place : places) in_order.push_back(baselines[static_cast<size_t>(place)]);
      baselines = std::move(in_order);
    }
    if (baselines.size() != subjects.size())
      throw bad_input({a.baseline_target.name(), "subjects", std::to_string(baselines.size()),
                       std::to_string(subjects.size()) + " as in " + a.target.name(), ""});
    for (size_t i = 0; i < subjects.size(); ++i)
      subjects[i] = threshold_elevation(subjects[i], baselines[i]);
    model = model_elevation(model, baseline);
  }
  more.json["model_threshold"] = number(model);
  const auto total = static_cast<int64_t>(subjects.size());
  std::erase_if(subjects, [](double v) { return std::isnan(v); });
  auto e = of_values(threshold_scores(model, subjects), "subject");
  e.warnings = left_out(total - static_cast<int64_t>(subjects.size()), total,
                        "subjects have no threshold and are left out");
  for (auto& warning : threshold_warnings({model})) e.warnings.push_back(std::move(warning));
  return e;
}

Evaluation ks(const MetricArguments& a, MetricResult& /*more*/) {
  require(a, !a.target.empty(), "--target");
  require(a, !a.bins.empty(), "--bins");
  std::vector<std::string> warnings;
  const auto finite = [&](const char* flag, const Input& input) {
    const auto& path = input.name();
    const auto v = array_of(a, flag, input).to(at::kDouble).flatten();
    auto kept = v.masked_select(v.isfinite());
    for (const auto& warning : left_out(v.numel() - kept.numel(), v.numel(),
                                        "values are NaN or infinite and are left out"))
      warnings.push_back(path + ": " + warning);
    if (kept.numel() == 0)
      throw bad_input({path, "values", "none that is finite", "at least one", ""});
    return kept;
  };
  const auto bins = finite("", a.bins);
  if (bins.numel() < 2 ||
      !(bins.narrow(0, 1, bins.numel() - 1) > bins.narrow(0, 0, bins.numel() - 1))
           .all()
           .item<bool>())
    throw bad_input({a.bins.name(), "values", std::to_string(bins.numel()) + " that do not ascend",
                     "bin edges, ascending", ""});
  const auto source = finite("source", a.source), target = finite("target", a.target);
  const auto draws = ks_similarity(source, target, bins, a.n_boot > 0 ? a.n_boot : 1000);
  std::vector<double> values(draws.const_data_ptr<double>(),
                             draws.const_data_ptr<double>() + draws.numel());
  for (auto& warning : left_out(count_nan(values), static_cast<int64_t>(values.size()),
                                "draws have no value and are left out; of more than a tenth the "
                                "score is 0, as the platform's"))
    warnings.push_back(std::move(warning));
  auto e = of_values(counted_draws(std::move(values)), "draw of model units");
  e.warnings = std::move(warnings);
  if (source.numel() == 1) {
    e.estimate.error = NAN;
    e.warnings.emplace_back("no error: one value of the source alone can only be drawn as it is");
  }
  e.estimate.split_values.clear();
  return e;
}

// An array of rows that metrics on arrays would take as one flag.
LabelledArray read_rows(const MetricArguments& a,
                        const char* flag,
                        const Input& input,
                        const char* expected) {
  return read_labelled(input, kRows, std::string("2: ") + expected,
                       Variables(a.variables, kFiles).of(flag, input));
}

Evaluation factors(const MetricArguments& a, MetricResult& more) {
  require(a, !a.target.empty(), "--target");
  require(a, !a.stratify.empty(), "--stratify (the factor of each pair)");
  // The two of a pair are different stimuli: pairs have no ids of their own.
  const auto x = read_rows(a, "source", a.source, "pairs x units").values.to(at::kDouble);
  const auto y = read_rows(a, "target", a.target, "pairs x units").values.to(at::kDouble);
  check_finite(x, a.source.name(), "unit", "Drop the unit");
  check_finite(y, a.target.name(), "unit", "Drop the unit");
  const auto codes = read_labels(a.stratify).codes;
  if (x.sizes() != y.sizes() || static_cast<int64_t>(codes.size()) != x.size(0))
    throw bad_input({a.target.name(), "shape", c10::str(y.sizes()),
                     c10::str(x.sizes()) + " and a factor a pair", ""});
  const int64_t n = x.size(0);
  const FactorPairs pairs{at::arange(n), at::arange(n, 2 * n), at::tensor(codes),
                          1 + *std::max_element(codes.begin(), codes.end())};
  MatrixBlocks both(at::cat({x, y}));
  const auto dims = factor_dimensions(factor_terms(both, pairs), pairs, x.size(1));
  more.arrays["dimensions"] = dims;
  std::vector<double> shares;
  for (int64_t i = 0; i + 1 < dims.numel(); ++i)
    shares.push_back(static_cast<double>(dims.const_data_ptr<int64_t>()[i]) /
                     static_cast<double>(x.size(1)));
  auto e = of_values(shares, "factor");
  e.estimate.value = shares.front();  // the first factor's share; `split_scores` holds every one
  e.estimate.error = NAN;
  return e;
}

Evaluation match(const MetricArguments& a, MetricResult& /*more*/) {
  require(a, !a.target.empty(), "--target");
  const auto x = read_rows(a, "source", a.source, "stimuli x dimensions").values.to(at::kDouble);
  check_finite(x, a.source.name(), "dimension", "Drop the stimulus or the dimension");
  const auto table = table_of(a.target);
  const auto column = [&](const char* name) {
    std::vector<int64_t> out;
    for (const auto value : table.numbers(name)) {
      if (!(value >= 0 && value < static_cast<double>(x.size(0)) && value == std::floor(value)))
        throw bad_input(
            {a.target.name(), table.place(out.size()) + ", column " + name, std::to_string(value),
             "a row of " + a.source.name() + ", 0 to " + std::to_string(x.size(0) - 1), ""});
      out.push_back(static_cast<int64_t>(value));
    }
    return at::tensor(out, at::kLong);
  };
  const auto i = column("stimulus_1"), j = column("stimulus_2"), k = column("stimulus_3");
  auto rows = x;
  if (a.cosine) rows = x / at::linalg_vector_norm(x, 2, {1}, true);
  const auto odd = odd_one_out(rows, at::stack({i, j, k}, 1));
  return evaluate_accuracy(odd == column("choice"));
}

Evaluation logistic(const MetricArguments& a, MetricResult& more) {
  require(a, !a.train_source.empty(), "--train-source");
  require(a, !a.train_target.empty(), "--train-target (CSV: stimulus_id, truth)");
  require(a, !a.test_source.empty(), "--test-source");
  require(a, !a.test_target.empty(), "--test-target (CSV: stimulus_id, truth)");
  const auto train = table_of(a.train_target), test = table_of(a.test_target);
  // Activations of the presentations of a table, in its order.
  const auto rows_of = [&](const char* flag, const Input& input, const Input& of,
                           const Table& table) {
    auto x = read_rows(a, flag, input, "presentations x features");
    Rows rows;
    rows.match(ids_of(table), static_cast<int64_t>(table.rows.size()), of);
    rows.match(x);
    rows.say();
    check_finite(x.values, input.name(), "feature", "");
    return x.values;
  };
  const auto x_train = rows_of("train-source", a.train_source, a.train_target, train);
  const auto x_test = rows_of("test-source", a.test_source, a.test_target, test);
  if (x_train.size(1) != x_test.size(1))
    throw bad_input({a.test_source.name(), "features", std::to_string(x_test.size(1)),
                     std::to_string(x_train.size(1)) + " as in " + a.train_source.name(), ""});
  const auto labels = train.column("truth");
  const auto classes = distinct(labels);
  const auto scaled =
      standardise(at::cat({x_train.to(at::kDouble), x_test.to(at::kDouble)}), x_train.size(0));
  const auto readout =
      fit_logistic(scaled.narrow(0, 0, x_train.size(0)),
                   at::tensor(codes_among(labels, classes, a.train_target.name(), "truth")),
                   static_cast<int64_t>(classes.size()), a.c);
  const auto p =
      readout.probabilities(scaled.narrow(0, x_train.size(0), x_test.size(0))).contiguous();
  const auto truth = test.column("truth");
  more.json["classes"] = classes;
  more.arrays["probabilities"] = p;
  const auto chosen = p.argmax(1).contiguous();
  auto correct = at::empty({x_test.size(0)}, at::kBool);
  for (int64_t r = 0; r < x_test.size(0); ++r)
    correct.mutable_data_ptr<bool>()[r] =
        classes[static_cast<size_t>(chosen.const_data_ptr<int64_t>()[r])] ==
        truth[static_cast<size_t>(r)];
  auto e = evaluate_accuracy(correct);
  std::vector<std::string> others;
  for (const auto& label : truth) {
    if (!std::binary_search(classes.begin(), classes.end(), label)) others.push_back(label);
  }
  e.warnings = left_out(static_cast<int64_t>(others.size()), static_cast<int64_t>(truth.size()),
                        "test presentations are of a class that the readout was not fitted to and "
                        "count as wrong");
  return e;
}

Evaluation resampled_error(const MetricArguments& a, MetricResult& more) {
  const auto values = array_of(a, "source", a.source);
  std::vector<int64_t> axes;
  for (size_t at = 0; at < a.axes.size();) {
    const auto comma = std::min(a.axes.find(',', at), a.axes.size());
    const auto text = a.axes.substr(at, comma - at);
    const auto axis = static_cast<int64_t>(text.size() == 1 ? text[0] - '0' : -1);
    if (axis < 0 || axis >= values.dim()) {
      throw Error(ErrorKind::kUsage, "--axes: found \"" + text + "\", expected axes of " +
                                         a.source.name() + " counted from 0, below " +
                                         std::to_string(values.dim()) + ", separated by commas.");
    }
    axes.push_back(axis);
    at = comma + 1;
  }
  Evaluation e;
  e.estimate.value = values.to(at::kDouble).nanmean().item<double>();
  e.estimate.error = bootstrap_error(values, axes, a.n_boot > 0 ? a.n_boot : 1000);
  e.averaged_over = "everything";
  more.json["axes"] = axes;
  e.warnings = left_out(values.isnan().sum().item<int64_t>(), values.numel(),
                        "values are NaN and are left out of the mean");
  return e;
}

}  // namespace

std::map<std::string, Run> value_metrics() {
  return {{"value_delta", delta_of_values},    {"threshold", threshold},
          {"threshold_elevation", threshold},  {"ks_similarity", ks},
          {"factor_dimensionality", factors},  {"match", match},
          {"ost", object_solution_times},      {"logistic", logistic},
          {"bootstrap_error", resampled_error}};
}

}  // namespace cortiscore
