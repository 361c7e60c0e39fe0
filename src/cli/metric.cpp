#include <cstdio>
#include <iostream>

#include <ATen/ATen.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "cortiscore/score.h"
#include "src/ceiling/internal_consistency.h"
#include "src/cli/commands.h"
#include "src/core/progress.h"
#include "src/data/arrays.h"
#include "src/data/netcdf.h"
#include "src/mapping/pls.h"
#include "src/metric/pls_predictivity.h"
#include "src/resample/splits.h"
#include "src/results/json.h"
#include "src/score/diagnostics.h"

namespace cortiscore::cli {
namespace {

at::Device device_of(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (!at::hasCUDA()) {
    throw Error(ErrorKind::kNoDevice,
                "--device cuda: found no CUDA device, or a build without CUDA, expected one. Use "
                "--device cpu, or see `cortiscore doctor`.");
  }
  return at::kCUDA;
}

struct MetricArguments {
  std::string name, source, target, splits, stratify, predictions, mode = "sklearn", device = "cpu";
  int64_t components = 25, n_boot = 1000;
  bool json = false;
};

Splits read_splits(const std::string& path, int64_t n) {
  Splits splits;
  try {
    for (const auto& entry : Json::parse(read_file(path))) {
      splits.push_back({entry.at("train").get<std::vector<int64_t>>(),
                        entry.at("test").get<std::vector<int64_t>>()});
    }
  } catch (const Json::exception& e) {
    throw bad_input({path, "", e.what(), "a list of {\"train\": [...], \"test\": [...]}", ""});
  }
  check_splits(splits, n, path);
  return splits;
}

at::Tensor read_matrix(const std::string& path, const char* role) {
  auto values = read_array(path);
  if (values.dim() == 1) values = values.unsqueeze(1);
  if (values.dim() != 2) {
    throw bad_input({path, "dims", std::to_string(values.dim()),
                     std::string("2: presentations x ") + role, ""});
  }
  return values;
}

Json summary(const Estimate& estimate, const char* key, const char* split_key) {
  Json out;
  out[key] = number(estimate.value);
  out["error"] = number(estimate.error);
  out["ci_lo"] = number(estimate.ci_lo);
  out["ci_hi"] = number(estimate.ci_hi);
  out[split_key] = numbers(estimate.split_values);
  out["per_neuroid"] = nested(estimate.per_neuroid);
  return out;
}

void print(const Json& result, const char* key, bool json) {
  if (json) {
    std::cout << result.dump() << '\n';
    return;
  }
  const auto field = [&](const char* name) {
    return result[name].is_null() ? NAN : result[name].get<double>();
  };
  std::printf(
      "%s %.6f +- %.6f (standard error over splits), 95%% interval over neuroids %.6f to %.6f\n",
      key, field(key), field("error"), field("ci_lo"), field("ci_hi"));
  for (const auto& warning : result["warnings"])
    std::fprintf(stderr, "warning: %s\n", warning.get<std::string>().c_str());
}

void run_metric(const MetricArguments& arguments) {
  if (arguments.name != "pls")
    throw unknown_name("metric", arguments.name, "this version", {"pls"});
  const auto device = device_of(arguments.device);
  const auto source = read_matrix(arguments.source, "features").to(device);
  const auto target = read_matrix(arguments.target, "neuroids").to(device);
  if (source.size(0) != target.size(0)) {
    throw bad_input({arguments.target, "presentations", std::to_string(target.size(0)),
                     std::to_string(source.size(0)) + " as in " + arguments.source,
                     "Rows of source and target must be the same stimuli in the same order"});
  }
  check_finite(source, arguments.source, "feature",
               "A network that overflows cannot be mapped: check its weights and input range");
  check_finite(target, "target " + arguments.target, "neuroid",
               "Average repetitions, or drop the presentation");
  Splits splits;
  if (!arguments.splits.empty()) {
    splits = read_splits(arguments.splits, source.size(0));
  } else if (!arguments.stratify.empty()) {
    const auto codes = read_label_codes(arguments.stratify);
    if (static_cast<int64_t>(codes.size()) != source.size(0)) {
      throw bad_input({arguments.stratify, "labels", std::to_string(codes.size()),
                       std::to_string(source.size(0)) + ", one a presentation", ""});
    }
    splits = stratified_shuffle_splits(codes, 10, 0.9, 1);
  } else {
    splits = shuffle_splits(source.size(0), 10, 0.9, 1);
  }
  PlsOptions options;
  options.n_components = arguments.components;
  options.top.mode = arguments.mode == "exact" ? TopVectorMode::kExact : TopVectorMode::kSklearn;
  const Timer timer;
  auto predictivity = pls_predictivity(source, target, splits, options);
  auto estimate = aggregate(predictivity.per_neuroid);
  const double seconds = timer.seconds();
  bootstrap_over_neuroids(estimate, {.n_boot = arguments.n_boot});
  if (!arguments.predictions.empty()) {
    auto all = at::full({static_cast<int64_t>(splits.size()), target.size(0), target.size(1)}, NAN,
                        at::kDouble);
    for (size_t s = 0; s < splits.size(); ++s) {
      all.select(0, static_cast<int64_t>(s))
          .index_put_({at::tensor(splits[s].test)}, predictivity.predictions[s].cpu());
    }
    write_npy(arguments.predictions, all);
  }
  auto result = summary(estimate, "score", "split_scores");
  result["iterations"] = nested(predictivity.iterations.cpu());
  result["marginal"] = predictivity.marginal.sum().item<int64_t>();
  result["n"] = {{"presentations", source.size(0)},
                 {"features", source.size(1)},
                 {"neuroids", target.size(1)},
                 {"splits", splits.size()}};
  result["mode"] = arguments.mode;
  result["timing_ms"] = {{"score", 1e3 * seconds}};
  result["warnings"] = warnings_of(predictivity, estimate, {});
  print(result, "score", arguments.json);
}

struct CeilingArguments {
  std::string name, trials, device = "cpu";
  int64_t n_splits = 10, n_boot = 1000;
  uint32_t seed = 1;
  bool json = false;
};

void run_ceiling(const CeilingArguments& arguments) {
  if (arguments.name != "internal_consistency") {
    throw unknown_name("ceiling", arguments.name, "this version", {"internal_consistency"});
  }
  const auto trials = arguments.trials.ends_with(".nc")
                          ? to_trials(read_assembly(arguments.trials)).values
                          : read_array(arguments.trials);
  if (trials.dim() != 3) {
    throw bad_input({arguments.trials, "dims", std::to_string(trials.dim()),
                     "3: repetitions x presentations x neuroids, NaN where missing", ""});
  }
  const Timer timer;
  auto estimate = aggregate(internal_consistency(trials.to(device_of(arguments.device)),
                                                 {arguments.n_splits, arguments.seed}));
  const double seconds = timer.seconds();
  bootstrap_over_neuroids(estimate, {.n_boot = arguments.n_boot});
  auto result = summary(estimate, "ceiling", "split_ceilings");
  result["n"] = {{"repetitions", trials.size(0)},
                 {"presentations", trials.size(1)},
                 {"neuroids", trials.size(2)},
                 {"splits", arguments.n_splits}};
  result["timing_ms"] = {{"ceiling", 1e3 * seconds}};
  result["warnings"] = undefined_warnings(estimate, {});
  print(result, "ceiling", arguments.json);
}

}  // namespace

void add_metric(CLI::App& app, Outcome& /*outcome*/) {
  auto arguments = std::make_shared<MetricArguments>();
  auto* verb = app.add_subcommand(
      "metric", "A metric on your own arrays: source (features) against target (neuroids)");
  verb->add_option("name", arguments->name, "pls")->required();
  verb->add_option("--source", arguments->source, "presentations x features: .npy, .nc or .csv")
      ->required();
  verb->add_option("--target", arguments->target, "presentations x neuroids: .npy, .nc or .csv")
      ->required();
  auto* splits = verb->add_option("--splits", arguments->splits,
                                  "JSON list of {\"train\": [...], \"test\": [...]}");
  verb->add_option("--stratify", arguments->stratify,
                   "labels, .npy or .csv: ten stratified 90/10 splits, seed 1")
      ->excludes(splits);
  verb->add_option("--components", arguments->components, "PLS components")->capture_default_str();
  verb->add_option("--mode", arguments->mode,
                   "sklearn: the iterate that scikit-learn stops at; exact: converged")
      ->check(CLI::IsMember({"sklearn", "exact"}))
      ->capture_default_str();
  verb->add_option("--device", arguments->device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  verb->add_option(
      "--predictions", arguments->predictions,
      "write splits x presentations x neuroids as .npy, NaN where a split did not test");
  verb->add_option("--bootstrap", arguments->n_boot, "bootstrap draws over neuroids")
      ->capture_default_str();
  verb->add_flag("--json", arguments->json, "print one JSON object");
  verb->callback([arguments] { run_metric(*arguments); });
}

void add_ceiling(CLI::App& app, Outcome& /*outcome*/) {
  auto arguments = std::make_shared<CeilingArguments>();
  auto* verb =
      app.add_subcommand("ceiling", "What the data's own noise allows, from repeated trials");
  verb->add_option("name", arguments->name, "internal_consistency")->required();
  verb->add_option("--trials", arguments->trials,
                   "repetitions x presentations x neuroids, NaN where missing: .npy; or an "
                   "assembly .nc with a "
                   "repetition coordinate")
      ->required();
  verb->add_option("--splits", arguments->n_splits, "split halves")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb->add_option("--device", arguments->device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  verb->add_option("--seed", arguments->seed, "seed of the splits")->capture_default_str();
  verb->add_option("--bootstrap", arguments->n_boot, "bootstrap draws over neuroids")
      ->capture_default_str();
  verb->add_flag("--json", arguments->json, "print one JSON object");
  verb->callback([arguments] { run_ceiling(*arguments); });
}

}  // namespace cortiscore::cli
