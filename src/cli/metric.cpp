#include <algorithm>
#include <map>
#include <set>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/flags.h"
#include "src/cli/metric_arguments.h"
#include "src/data/labelled.h"
#include "src/score/evaluate.h"

namespace cortiscore::cli {
namespace {

std::string names(const std::vector<std::string>& all) {
  std::string out;
  for (const auto& name : all) out += (out.empty() ? "" : ", ") + name;
  return out;
}

void add_array_options(CLI::App& verb, MetricArguments& a) {
  const auto* arrays = "Arrays";
  const auto option = [&](const char* flag, auto& value, const char* help) {
    return verb.add_option(flag, value, help)->group(arrays);
  };
  option("--source", a.source,
         "presentations x features (spantime_: x time bins): .npy, .npz, .nc, .h5 or .csv; for "
         "choices a CSV");
  option("--target", a.target,
         "presentations x neuroids (spantime_: x time bins), in any order where both have "
         "stimulus_id; for choices a CSV");
  option("--train-source", a.train_source, "train-test variants: features to fit on");
  option("--train-target", a.train_target, "responses to fit on");
  option("--test-source", a.test_source, "features to predict from");
  option("--test-target", a.test_target, "responses to compare with");
  option("--variable", a.variables,
         "of files that hold several arrays (.nc, .h5, .npz), which one: NAME, or FLAG=NAME "
         "(target=rates) for one file, repeated for others; threshold: the stimulus variable's "
         "column")
      ->allow_extra_args(false);
  auto* splits = option("--splits", a.splits, "JSON list of {\"train\": [...], \"test\": [...]}");
  option("--stratify", a.stratify, "labels, .npy or .csv: ten stratified 90/10 splits, seed 1")
      ->excludes(splits);
  option("--components", a.components, "PLS components")
      ->capture_default_str()
      ->check(count(1000000));
  option("--mode", a.mode, "pls: the iterate that scikit-learn stops at, or the converged one")
      ->check(one_of({"sklearn", "exact"}))
      ->capture_default_str();
  option("--products", a.products,
         "pls, ridge, ridgecv: those of Gram size in fp64, or fast (scores within 1e-6)")
      ->check(one_of({"fp64", "fast"}))
      ->capture_default_str();
  option("--alpha", a.alpha, "ridge: penalty")->capture_default_str()->check(positive_number());
  option("--alphas", a.alphas,
         "ridgecv: penalties to choose from, .npy or .csv [the platform's 99]");
  option("--cutoff", a.cutoff,
         "linear: singular values below this share of the largest count as zero [max(n, p) eps]")
      ->check(number_between(0, 1));
  verb.add_flag("--source-rdm", a.source_rdm, "rdm: the source is an RDM, n x n")->group(arrays);
  verb.add_flag("--target-rdm", a.target_rdm, "rdm: the target is an RDM, or subjects x n x n")
      ->group(arrays);
  option("--distance", a.distance, "rdm: of two responses")
      ->check(one_of({"correlation", "cosine", "euclidean"}))
      ->capture_default_str();
  add_comparison_flag(verb, a.comparison)->group(arrays);
  auto* trials = option(
      "--trials", a.trials,
      "repetitions x presentations x neuroids behind --target: adds its ceiling and the ceiled "
      "score");
  option("--ceiling-splits", a.ceiling_splits, "split halves of the ceiling")
      ->needs(trials)
      ->capture_default_str()
      ->check(count());
  add_ceiling_convention_flag(verb, a.convention)->group(arrays)->needs(trials);
  option("--predictions", a.predictions,
         "write splits x presentations x neuroids as .npy, NaN where a split did not test");
  option("--per-neuroid", a.per_neuroid, "write splits x neuroids as .npy");
  add_device_flag(verb, a.device)->group(arrays);
}

void add_resampling_options(CLI::App& verb, MetricArguments& a) {
  const auto option = [&](const char* flag, auto& value, const char* help) {
    return verb.add_option(flag, value, help)->group("Uncertainty");
  };
  option("--bootstrap", a.n_boot,
         "draws of the bootstrap; 0 for none [1000; rdm and cka over presentations: 0]")
      ->check(count_or_none());
  option("--over", a.over,
         "what is drawn: neuroid, presentation, split, subject, or several with commas [the first "
         "that the metric has]");
  option("--level", a.level, "of the interval")->check(number_between(0, 1))->capture_default_str();
  option("--interval", a.interval, "percentile or bca")
      ->check(one_of({"percentile", "bca"}))
      ->capture_default_str();
  option("--versus", a.versus, "a second source: its score, the paired difference and p values");
  option("--permutations", a.n_permutations,
         "permute the target's presentations this often and score anew: adds p_value")
      ->capture_default_str()
      ->check(count_or_none());
}

void add_behavior_options(CLI::App& verb, MetricArguments& a) {
  const auto option = [&](const char* flag, auto& value, const char* help) {
    return verb.add_option(flag, value, help)->group("Choices and properties");
  };
  option("--whole", a.whole, "accuracy_delta: condition of the whole images");
  option("--manipulated", a.manipulated, "accuracy_delta: condition of the manipulated ones");
  option("--accuracy", a.accuracy, "threshold: accuracy that defines it")
      ->capture_default_str()
      ->check(number_between(0.5, 1));
  option("--baseline-source", a.baseline_source, "threshold_elevation: choices without flankers");
  option("--baseline-target", a.baseline_target,
         "threshold_elevation: subjects' thresholds without");
  option("--scale", a.scale, "value_delta: scale of the difference")
      ->capture_default_str()
      ->check(positive_number());
  option("--bins", a.bins,
         "ks_similarity: bin edges; ost: where time bins start, ms; .npy or .csv");
  option("--probabilities", a.probabilities,
         "logistic: write stimulus_id, truth and one column a choice");
  option("--axes", a.axes, "bootstrap_error: axes that are drawn, counted from 0, with commas")
      ->capture_default_str();
  option("--c", a.c, "logistic: inverse penalty")->capture_default_str()->check(positive_number());
  verb.add_flag("--skipna", a.skipna, "i1 to o2: leave out cells that the source does not have")
      ->group("Choices and properties");
  verb.add_flag("--cosine", a.cosine, "match: cosine instead of the dot product")
      ->group("Choices and properties");
}

// Which metrics read a flag: names, or "arrays" for those on arrays, "maps" for mappings, "cv" for
// rdm_cv and its like. Metrics on arrays say their own (array_metrics). Flags that are not here are
// read by all, or are refused where they are read.
using Readers = std::map<std::string, std::vector<std::string>>;
const Readers& readers() {
  static const Readers all = [] {
    Readers of = {{"--train-source", {"arrays", "logistic"}},
                  {"--train-target", {"arrays", "logistic"}},
                  {"--test-source", {"arrays", "logistic"}},
                  {"--test-target", {"arrays", "logistic"}},
                  {"--splits", {"maps", "cv"}},
                  {"--stratify", {"maps", "cv", "factor_dimensionality"}},
                  {"--trials", {"arrays"}},
                  {"--versus", {"arrays"}},
                  {"--permutations", {"arrays"}},
                  {"--ceiling-splits", {"arrays"}},
                  {"--ceiling-convention", {"arrays"}},
                  {"--predictions", {"arrays"}},
                  {"--per-neuroid", {"arrays"}},
                  {"--whole", {"accuracy_delta"}},
                  {"--manipulated", {"accuracy_delta"}},
                  {"--accuracy", {"threshold", "threshold_elevation"}},
                  {"--baseline-source", {"threshold_elevation"}},
                  {"--baseline-target", {"threshold_elevation"}},
                  {"--scale", {"value_delta"}},
                  {"--bins", {"ks_similarity", "ost"}},
                  {"--probabilities", {"logistic"}},
                  {"--axes", {"bootstrap_error"}},
                  {"--c", {"logistic"}},
                  {"--skipna", {"i1", "i1n", "i2", "i2n", "o1", "o2"}},
                  {"--cosine", {"match"}}};
    for (const auto& metric : array_metrics()) {
      for (const auto& flag : metric.flags) of[flag].push_back(metric.base);
    }
    return of;
  }();
  return all;
}

// A flag that a metric does not read would change nothing in silence.
void refuse_unread(const CLI::App& verb, const std::string& metric) {
  const auto on_choices = behavior_metric_names();
  std::set<std::string> kinds = {metric};
  if (std::find(on_choices.begin(), on_choices.end(), metric) == on_choices.end()) {
    const auto name = metric_name(metric);
    kinds = {"arrays", name.base};
    if (name.maps()) kinds.insert("maps");
    if (name.cv) kinds.insert("cv");
  }
  for (const auto& [flag, metrics] : readers()) {
    if (verb.count(flag) == 0) continue;
    if (std::any_of(metrics.begin(), metrics.end(),
                    [&](const std::string& one) { return kinds.contains(one); }))
      continue;
    std::string those;
    for (const auto& one : metrics)
      those += (those.empty() ? "" : ", ") + (one == "arrays" ? "metrics on arrays"
                                              : one == "maps" ? "mappings"
                                              : one == "cv"   ? "rdm_cv, cka_cv, cka_biased_cv"
                                                              : one);
    throw Error(ErrorKind::kUsage,
                flag + ": metric " + metric + " does not read it, " + those + " do" +
                    (metrics.size() == 1 && metrics[0] != "arrays" ? "es." : ".") +
                    " Leave it away.");
  }
}

void refuse_variable_of_nothing(const MetricArguments& a) {
  if (a.variables.empty() || a.name.starts_with("threshold")) return;  // there it is a column
  for (const auto& path : {a.source, a.target, a.train_source, a.train_target, a.test_source,
                           a.test_target, a.versus, a.trials, a.stratify, a.bins})
    if (!path.empty() && !holds_one_array(path)) return;
  throw Error(ErrorKind::kUsage, "--variable: found " + a.variables.front() +
                                     ", but every file holds one array alone. Name arrays of .nc, "
                                     ".h5, .hdf5 or .npz files.");
}

}  // namespace

void add_metric(CLI::App& app, Outcome& /*outcome*/) {
  auto arguments = std::make_shared<MetricArguments>();
  auto* verb = app.add_subcommand("metric", "A metric on your own arrays or choices");
  const auto on_arrays = array_metric_names(), on_choices = behavior_metric_names();
  auto all = on_arrays;
  all.insert(all.end(), on_choices.begin(), on_choices.end());
  offer(verb->add_option("name", arguments->name,
                         "on arrays: " + names(on_arrays) +
                             "; on choices and properties: " + names(on_choices))
            ->required(),
        all);
  add_array_options(*verb, *arguments);
  add_resampling_options(*verb, *arguments);
  add_behavior_options(*verb, *arguments);
  verb->add_flag("--json", arguments->json, "print one JSON object");
  verb->callback([arguments, verb] {
    refuse_unread(*verb, arguments->name);
    refuse_variable_of_nothing(*arguments);
    if (!run_behavior_metric(*arguments)) run_array_metric(*arguments);
  });
}

}  // namespace cortiscore::cli
