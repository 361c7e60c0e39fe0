#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/ceiling/internal_consistency.h"
#include "src/core/device.h"
#include "src/core/json_fault.h"
#include "src/core/progress.h"
#include "src/core/random.h"
#include "src/data/arrays.h"
#include "src/given/families.h"
#include "src/given/rows.h"
#include "src/score/compare.h"
#include "src/score/diagnostics.h"
#include "src/score/evaluate.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

const std::vector<std::string> kFiles = {"source",      "target",       "trials",
                                         "versus",      "train-source", "train-target",
                                         "test-source", "test-target"};

// Reads the arrays of a run, and keeps their rows the same stimuli.
class Reader {
 public:
  Reader(const MetricArguments& arguments, bool bins)
      : variables_(arguments.variables, kFiles), bins_(bins) {}

  LabelledArray rdms(const std::string& flag, const Input& input, Rows& rows) const {
    auto array = read_rdms(input, variables_.of(flag, input));
    rows.match(array);
    return array;
  }
  LabelledArray responses(const std::string& flag,
                          const Input& input,
                          const char* columns,
                          Rows& rows) const {
    auto array = read_labelled(input, bins_ ? kRowsInTime : kRows,
                               (bins_ ? "3: presentations x " : "2: presentations x ") +
                                   std::string(columns) + (bins_ ? " x time bins" : ""),
                               variables_.of(flag, input));
    if (array.values.numel() == 0) {
      throw bad_input({input.name(), "shape", c10::str(array.values.sizes()),
                       "at least one presentation and one of its " + std::string(columns), ""});
    }
    rows.match(array, std::string(columns) == "neuroids"
                          ? "Average its repetitions; the trials themselves are for --trials"
                          : "Average its presentations of a stimulus");
    return array;
  }
  LabelledArray trials(const Input& input, Rows& rows) const {
    auto array = read_trials(input, variables_.of("trials", input));
    rows.match(array);
    return array;
  }

 private:
  Variables variables_;
  bool bins_;
};

// The test half of a train-test variant under the train half, their columns the same.
LabelledArray one_under_the_other(const LabelledArray& train,
                                  LabelledArray test,
                                  const char* columns) {
  align_neuroids(test, train.neuroid_ids, train.path);
  if (train.values.size(1) != test.values.size(1)) {
    throw bad_input({test.path, columns, std::to_string(test.values.size(1)),
                     std::to_string(train.values.size(1)) + " as in " + train.path, ""});
  }
  auto both = train;
  both.values = at::cat({train.values, test.values});
  return both;
}

struct Sides {
  LabelledArray source, target;
  Splits splits;
  Rows rows;  // of a run that is not in train and test parts
};

void check_values(const at::Tensor& values,
                  const std::string& where,
                  const char* column,
                  bool is_rdm) {
  if (values.numel() == 0) {
    throw bad_input({where, "shape", c10::str(values.sizes()),
                     "at least one presentation and one " + std::string(column), ""});
  }
  if (is_rdm) return;  // missing pairs are left out and counted
  check_finite(values.dim() == 3 ? values.flatten(1) : values, where, column,
               std::string(column) == "feature"
                   ? "A network that overflows cannot be mapped: check its weights and input range"
                   : "Average repetitions, or drop the presentation");
}

Splits splits_of(const Json& list, int64_t n, const std::string& name) {
  Splits splits;
  const auto indices = [&](const Json& values) {
    for (const auto& index : values) {
      if (!index.is_number_integer())
        throw bad_input({name, "split " + std::to_string(splits.size()), index.dump(),
                         "whole numbers: presentations, counted from 0", ""});
    }
    return values.get<std::vector<int64_t>>();
  };
  try {
    for (const auto& entry : list)
      splits.push_back({indices(entry.at("train")), indices(entry.at("test"))});
  } catch (const Json::exception& e) {
    throw bad_input({name, "", json_fault(e), "a list of {\"train\": [...], \"test\": [...]}", ""});
  }
  check_splits(splits, n, name);
  return splits;
}

Splits splits_for(const MetricArguments& arguments, const MetricName& name, int64_t n, Rows& rows) {
  if (arguments.splits) return splits_of(*arguments.splits, n, arguments.splits_name);
  const bool subsets = name.cv && !name.maps;
  // Similarities are taken over the "test" side of 90 %: ceil(.9 n) (BENCHMARKS.md 2.1).
  const double train = subsets ? train_fraction_for(0.9, n) : 0.9;
  if (arguments.stratify.empty()) return shuffle_splits(n, 10, train, 1);
  const auto labels = read_labels(arguments.stratify);
  const auto n_labels = static_cast<int64_t>(labels.codes.size());
  if (labels.stimulus_ids.empty() && n_labels != n) {
    throw bad_input({arguments.stratify.name(), "labels", std::to_string(n_labels),
                     std::to_string(n) + ", one a presentation", ""});
  }
  std::vector<int64_t> codes;
  for (const auto place : rows.match(labels.stimulus_ids, n_labels, arguments.stratify))
    codes.push_back(labels.codes[static_cast<size_t>(place)]);
  return stratified_shuffle_splits(codes, 10, train, 1);
}

Sides read_sides(const MetricArguments& arguments, const MetricName& name, const Reader& reader) {
  Sides sides;
  const bool parts = !arguments.train_source.empty() || !arguments.train_target.empty() ||
                     !arguments.test_source.empty() || !arguments.test_target.empty();
  if (parts) {
    if (arguments.train_source.empty() || arguments.train_target.empty() ||
        arguments.test_source.empty() || arguments.test_target.empty()) {
      throw Error(
          ErrorKind::kUsage,
          "metric: a train-test variant needs --train-source, --train-target, --test-source "
          "and --test-target.");
    }
    Rows train, test;
    const auto half = [&](const char* flag, const Input& input, const char* columns, Rows& rows) {
      return reader.responses(flag, input, columns, rows);
    };
    const auto train_source = half("train-source", arguments.train_source, "features", train);
    const auto train_target = half("train-target", arguments.train_target, "neuroids", train);
    const auto n_train = train_source.n_presentations();
    sides.source = one_under_the_other(
        train_source, half("test-source", arguments.test_source, "features", test), "features");
    sides.target = one_under_the_other(
        train_target, half("test-target", arguments.test_target, "neuroids", test), "neuroids");
    train.say();
    test.say();
    Split split;
    for (int64_t i = 0; i < sides.source.values.size(0); ++i)
      (i < n_train ? split.train : split.test).push_back(i);
    sides.splits = {split};
    return sides;
  }
  if (name.split) {
    throw Error(ErrorKind::kUsage, "metric " + arguments.name +
                                       " takes --train-source, --train-target, --test-source and "
                                       "--test-target.");
  }
  if (arguments.source.empty() || arguments.target.empty())
    throw Error(ErrorKind::kUsage, "metric " + arguments.name + " takes --source and --target.");
  sides.source = arguments.source_rdm
                     ? reader.rdms("source", arguments.source, sides.rows)
                     : reader.responses("source", arguments.source, "features", sides.rows);
  sides.target = arguments.target_rdm
                     ? reader.rdms("target", arguments.target, sides.rows)
                     : reader.responses("target", arguments.target, "neuroids", sides.rows);
  return sides;
}

MappingOptions mapping_options(const MetricArguments& arguments, bool keep) {
  MappingOptions options;
  options.pls.n_components = arguments.components;
  options.pls.top.mode = top_vector_mode(arguments.mode);
  options.precision = arguments.products == "fast" ? Precision::kFast : Precision::kFloat64;
  options.ridge_alpha = arguments.alpha;
  if (!arguments.alphas.empty()) {
    options.ridgecv_alphas = read_values(arguments.alphas);
  }
  for (const auto a : options.ridgecv_alphas) {
    if (!(a > 0))
      throw bad_input(
          {arguments.alphas.name(), "penalty", std::to_string(a), "a positive number", ""});
  }
  if (!(arguments.alpha > 0))
    throw Error(ErrorKind::kUsage, "--alpha: found " + std::to_string(arguments.alpha) +
                                       ", expected a positive number. Use metric linear for none.");
  options.linear_cutoff = arguments.cutoff;
  options.keep_predictions = keep;
  return options;
}

// [splits, n, neuroids], NaN where a split did not test.
at::Tensor all_predictions(const Evaluation& e, const Splits& splits, int64_t n) {
  const auto width = e.fit.predictions[0].size(1);
  auto all = at::full({static_cast<int64_t>(splits.size()), n, width}, NAN, at::kDouble);
  for (size_t s = 0; s < splits.size(); ++s) {
    all.select(0, static_cast<int64_t>(s))
        .index_put_({at::tensor(splits[s].test)}, e.fit.predictions[s].cpu());
  }
  return all;
}

MetricResult base_result(const MetricArguments& arguments,
                         const MetricName& name,
                         const Evaluation& e) {
  MetricResult result;
  auto& out = result.json;
  out["metric"] = arguments.name;
  out["score"] = number(e.estimate.value);
  out["error"] = number(e.estimate.error);
  out["split_scores"] = numbers(e.estimate.split_values);
  out["averaged_over"] = e.averaged_over;
  out["warnings"] = warnings_of(name, e);
  result.arrays["per_neuroid"] = e.estimate.per_neuroid;
  if (!e.per_time_bin.empty()) out["per_time_bin"] = numbers(e.per_time_bin);
  if (e.fit.iterations.defined()) {
    result.arrays["iterations"] = e.fit.iterations;
    out["marginal"] = e.fit.marginal.sum().item<int64_t>();
    out["mode"] = arguments.mode;
    out["products"] = arguments.products;
  }
  if (e.fit.alpha.defined()) result.arrays["alpha"] = e.fit.alpha;
  return result;
}

// Trials are repeated recordings of the target: a metric that predicts or compares its neuroids has
// their ceiling.
bool name_has_ceiling(const std::string& name) {
  const auto parsed = metric_name(name);
  return (parsed.maps || parsed.base == "pearsonr") && parsed.prefix != "reverse" &&
         parsed.prefix != "spantime";
}

// Raw and ceiling for the same draws.
void add_ceiling(Json& out,
                 const MetricArguments& arguments,
                 const Evaluation& e,
                 const ResampleOptions& options,
                 const at::Tensor& trials) {
  const auto neuroids = e.axes.find(Axis::kNeuroid);
  if (neuroids == e.axes.end() || neuroids->second != trials.size(2)) {
    throw bad_input({arguments.trials.name(), "neuroids", std::to_string(trials.size(2)),
                     "as many as the metric's neuroids", "Give the trials that --target averages"});
  }
  const InternalConsistencyOptions ceiling_options{arguments.ceiling_splits, 1, false};
  const auto convention = ceiling_convention(arguments.convention);
  const auto ceiling = aggregate(internal_consistency(trials, ceiling_options));
  const auto ceil_draws = [=](const Draws& draws) {
    return internal_consistency_draws(trials, ceiling_options, draws);
  };
  out["ceiling"] = number(ceiling.value);
  out["ceiling_error"] = number(ceiling.error);
  out["ceiling_convention"] = convention.name();
  out["ceiled"] = number(convention(e.estimate.value, ceiling.value));
  for (const auto& warning : undefined_warnings(ceiling, {}))
    out["warnings"].push_back("ceiling: " + warning);
  for (const auto& warning : few_trials(trials)) out["warnings"].push_back("ceiling: " + warning);
  if (!(ceiling.value > 0)) {
    out["ceiled_ci_lo"] = out["ceiled_ci_hi"] = out["ceiled_error"] = nullptr;
    out["warnings"].push_back(
        "the ceiling of " + arguments.trials.name() +
        " is not positive: its trials do not agree, and there is no ceiled score");
    return;  // nor an interval of the draws whose ceiling happens to be positive
  }
  auto over = options;
  over.over.erase(
      Axis::kSplit);  // splits of presentations and of repetitions are not the same draws
  if (over.n_boot < 1 || over.over.empty()) return;
  const Statistic ceiled = [&](const Draws& draws) {
    const auto raw = e.draws(draws);
    return convention(raw, ceil_draws(draws));
  };
  const auto r = resample(ceiled, over, trials.options().dtype(at::kDouble));
  out["ceiled_ci_lo"] = number(r.ci_lo);
  out["ceiled_ci_hi"] = number(r.ci_hi);
  out["ceiled_error"] = number(r.error);
  for (const auto& warning : r.warnings) out["warnings"].push_back("ceiled: " + warning);
}

}  // namespace

ResampleOptions resample_options(const MetricArguments& arguments,
                                 const Evaluation& e,
                                 int64_t usual_draws) {
  ResampleOptions options;
  const auto& axes = e.axes;
  const auto usual = e.usual;
  if (e.estimate.per_neuroid.defined() && axes.contains(Axis::kNeuroid))
    options.defined[Axis::kNeuroid] = e.estimate.per_neuroid.size(1) - e.estimate.n_undefined;
  options.n_boot = arguments.n_boot >= 0 ? arguments.n_boot : usual_draws;
  options.level = arguments.level;
  options.interval = arguments.interval == "bca" ? Interval::kBca : Interval::kPercentile;
  std::string names, rest = arguments.over;
  for (const auto& [axis, size] : axes) names += (names.empty() ? "" : ", ") + name_of(axis);
  if (rest.empty()) {
    if (axes.contains(usual))
      options.over[usual] = axes.at(usual);
    else
      options.n_boot = 0;
    return options;
  }
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const auto axis = axis_of(rest.substr(0, comma));
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
    if (!axes.contains(axis)) {
      throw Error(ErrorKind::kUsage, "--over: found " + name_of(axis) + ", expected one of " +
                                         (names.empty() ? "nothing" : names) + " for metric " +
                                         arguments.name + " on these arrays.");
    }
    options.over[axis] = axes.at(axis);
  }
  return options;
}

MetricResult array_metric_on(const MetricArguments& arguments) {
  const auto name = metric_name(arguments.name);
  const auto device = device_of(arguments.device);
  const Reader reader(arguments, name.prefix == "spantime");
  auto sides = read_sides(arguments, name, reader);
  MetricInputs inputs;
  inputs.source = sides.source.values.to(device);
  inputs.target = sides.target.values.to(device);
  inputs.source_is_rdm = arguments.source_rdm;
  inputs.target_is_rdm = arguments.target_rdm;
  inputs.distance = rdm_distance(arguments.distance);
  inputs.comparison = rdm_comparison(arguments.comparison);
  check_values(inputs.source, arguments.source.empty() ? "source" : arguments.source.name(),
               "feature", arguments.source_rdm);
  check_values(inputs.target, "target " + arguments.target.name(), "neuroid", arguments.target_rdm);
  const int64_t n = arguments.source_rdm ? inputs.source.size(-1) : inputs.source.size(0);
  if (name.maps || name.cv)
    sides.splits = sides.splits.empty() ? splits_for(arguments, name, n, sides.rows) : sides.splits;
  inputs.splits = sides.splits;
  const bool keep =
      arguments.over.find("presentation") != std::string::npos || arguments.predictions;
  inputs.mapping = mapping_options(arguments, keep);

  const Timer timer;
  const auto e = evaluate(name, inputs);
  const double seconds = timer.seconds();
  auto result = base_result(arguments, name, e);
  auto& out = result.json;
  out["n"] = {{"presentations", n}, {"splits", inputs.splits.size()}};
  if (!arguments.source_rdm) out["n"]["features"] = inputs.source.size(1);
  if (!arguments.target_rdm) out["n"]["neuroids"] = inputs.target.size(1);
  const bool cheap = e.axes.contains(Axis::kNeuroid) || e.axes.contains(Axis::kSubject);
  const auto options =
      resample_options(arguments, e, cheap || !arguments.versus.empty() ? 1000 : 0);
  out["ci_lo"] = out["ci_hi"] = nullptr;
  if (options.n_boot > 0) {
    const auto on = e.estimate.per_neuroid.options().device(device);
    add_interval(out, resample(e.draws, options, on), options);
  }
  if (arguments.predictions) {
    if (!name.maps)
      throw Error(ErrorKind::kUsage,
                  "--predictions: metric " + arguments.name + " predicts nothing.");
    result.arrays["predictions"] = all_predictions(e, inputs.splits, n);
  }
  if (!arguments.trials.empty()) {
    if (!name_has_ceiling(arguments.name)) {
      throw Error(ErrorKind::kUsage, "--trials: metric " + arguments.name +
                                         " predicts no neuroids. Give them to cortiscore ceiling.");
    }
    auto trials = reader.trials(arguments.trials, sides.rows);
    align_neuroids(trials, sides.target.neuroid_ids, sides.target.path);
    add_ceiling(out, arguments, e, options, trials.values.to(device));
  }
  if (!arguments.versus.empty() && !e.draws) {
    throw Error(ErrorKind::kUsage,
                "--versus: metric " + arguments.name +
                    " has nothing to draw. Compare with the metric without _cv or "
                    "spantime_.");
  }
  if (!arguments.versus.empty()) {
    auto other = inputs;
    other.source = (arguments.source_rdm
                        ? reader.rdms("versus", arguments.versus, sides.rows)
                        : reader.responses("versus", arguments.versus, "features", sides.rows))
                       .values.to(device);
    check_values(other.source, arguments.versus.name(), "feature", arguments.source_rdm);
    const auto second = evaluate(name, other);
    const auto compared = compare(e, second, options, std::max<int64_t>(options.n_boot, 1000));
    out["versus"] = {{"score", number(second.estimate.value)},
                     {"difference", number(compared.difference.value)},
                     {"ci_lo", number(compared.difference.ci_lo)},
                     {"ci_hi", number(compared.difference.ci_hi)},
                     {"error", number(compared.difference.error)},
                     {"p_bootstrap", number(compared.p_bootstrap)},
                     {"p_permutation", number(compared.p_permutation)}};
    auto warnings = warnings_of(name, second);
    const auto& of_difference = compared.difference.warnings;
    warnings.insert(warnings.end(), of_difference.begin(), of_difference.end());
    for (const auto& warning : warnings) out["warnings"].push_back("versus: " + warning);
  }
  if (arguments.n_permutations > 0) {
    NumpyGenerator random(0);
    Progress progress("permutations", arguments.n_permutations);
    std::vector<double> null_values;
    for (int64_t i = 0; i < arguments.n_permutations; ++i) {
      null_values.push_back(
          evaluate(name, inputs, at::tensor(random.permutation(n), at::kLong).to(device))
              .estimate.value);
      progress.advance(1);
    }
    out["p_value"] = number(p_value_above(null_values, e.estimate.value));
    for (const auto& warning : left_out(std::count_if(null_values.begin(), null_values.end(),
                                                      [](double v) { return std::isnan(v); }),
                                        arguments.n_permutations,
                                        "permutations have no value and are left out of the null"))
      out["warnings"].push_back(warning);
    out["null_mean"] = number(mean_skip_nan(null_values));
    out["null_sd"] = number(deviation(null_values, 1));
  }
  out["timing_ms"] = {{"score", 1e3 * seconds}};
  sides.rows.say();
  give_reason(out, "score");
  return result;
}

}  // namespace cortiscore
