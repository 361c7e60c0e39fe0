#include "src/given/metric.h"

#include <memory>
#include <ostream>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/flags.h"
#include "src/cli/metric_output.h"
#include "src/core/whole_file.h"
#include "src/data/arrays.h"
#include "src/data/json_file.h"
#include "src/data/labelled.h"

namespace cortiscore::cli {
namespace {

// Where some of a result goes, beside what a metric is asked.
struct MetricFlags : MetricArguments {
  std::string splits_file, predictions_file, per_neuroid_file, probabilities_file;
  bool json = false;
};

std::string names(const std::vector<std::string>& all) {
  std::string out;
  for (const auto& name : all) out += (out.empty() ? "" : ", ") + name;
  return out;
}

void add_array_options(CLI::App& verb, MetricFlags& a) {
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
  auto* splits =
      option("--splits", a.splits_file, "JSON list of {\"train\": [...], \"test\": [...]}");
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
  option("--predictions", a.predictions_file,
         "write splits x presentations x neuroids as .npy, NaN where a split did not test");
  option("--per-neuroid", a.per_neuroid_file, "write splits x neuroids as .npy");
  add_device_flag(verb, a.device)->group(arrays);
}

void add_resampling_options(CLI::App& verb, MetricFlags& a) {
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

void add_behavior_options(CLI::App& verb, MetricFlags& a) {
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
  option("--probabilities", a.probabilities_file,
         "logistic: write stimulus_id, truth and one column a choice");
  option("--axes", a.axes, "bootstrap_error: axes that are drawn, counted from 0, with commas")
      ->capture_default_str();
  option("--c", a.c, "logistic: inverse penalty")->capture_default_str()->check(positive_number());
  verb.add_flag("--skipna", a.skipna, "i1 to o2: leave out cells that the source does not have")
      ->group("Choices and properties");
  verb.add_flag("--cosine", a.cosine, "match: cosine instead of the dot product")
      ->group("Choices and properties");
}

std::vector<std::string> flags_given(const CLI::App& verb) {
  std::vector<std::string> flags;
  for (const auto* option : verb.get_options()) {
    if (option->count() > 0) flags.push_back(option->get_name());
  }
  return flags;
}

void refuse_variable_of_nothing(const MetricArguments& a) {
  if (a.variables.empty() || a.name.starts_with("threshold")) return;  // there it is a column
  for (const auto& path : {a.source, a.target, a.train_source, a.train_target, a.test_source,
                           a.test_target, a.versus, a.trials, a.stratify, a.bins})
    if (!path.empty() && !holds_one_array(path.name())) return;
  throw Error(ErrorKind::kUsage, "--variable: found " + a.variables.front() +
                                     ", but every file holds one array alone. Name arrays of .nc, "
                                     ".h5, .hdf5 or .npz files.");
}

// As choices are read: stimulus_id, truth and one column a class.
void write_probabilities(const MetricFlags& a, const MetricResult& found) {
  const auto test = read_table(a.test_target.name());
  const auto ids = test.has("stimulus_id") || !test.has("image_id") ? test.column("stimulus_id")
                                                                    : test.column("image_id");
  const auto truth = test.column("truth");
  const auto p = found.arrays.at("probabilities").contiguous();
  const auto classes = found.json.at("classes").get<std::vector<std::string>>();
  write_whole(a.probabilities_file, [&](std::ostream& out) {
    out.precision(17);
    out << "stimulus_id,truth";
    for (const auto& c : classes) out << ',' << csv_field(c);
    for (size_t r = 0; r < ids.size(); ++r) {
      out << '\n' << csv_field(ids[r]) << ',' << csv_field(truth[r]);
      for (size_t c = 0; c < classes.size(); ++c)
        out << ',' << p.const_data_ptr<double>()[r * classes.size() + c];
    }
    out << '\n';
  });
}

void run(MetricFlags a) {
  if (!a.splits_file.empty()) {
    a.splits = read_json(a.splits_file, "a list of {\"train\": [...], \"test\": [...]}");
    a.splits_name = a.splits_file;
  }
  a.predictions = !a.predictions_file.empty();
  const auto found = metric_on(a);
  if (a.predictions) write_npy(a.predictions_file, found.arrays.at("predictions"));
  if (!a.per_neuroid_file.empty()) write_npy(a.per_neuroid_file, found.arrays.at("per_neuroid"));
  if (!a.probabilities_file.empty()) write_probabilities(a, found);
  print_result(found, "score", a.json);
}

}  // namespace

void add_metric(CLI::App& app, Outcome& /*outcome*/) {
  auto arguments = std::make_shared<MetricFlags>();
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
    refuse_unread(arguments->name, flags_given(*verb));
    refuse_variable_of_nothing(*arguments);
    run(*arguments);
  });
}

}  // namespace cortiscore::cli
