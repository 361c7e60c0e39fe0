#include <ATen/ATen.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "cortiscore/score.h"
#include "src/ceiling/internal_consistency.h"
#include "src/cli/array_input.h"
#include "src/cli/commands.h"
#include "src/core/progress.h"
#include "src/data/arrays.h"
#include "src/data/netcdf.h"
#include "src/score/diagnostics.h"

namespace cortiscore::cli {
namespace {

struct CeilingArguments {
  std::string name, trials, per_neuroid, device = "cpu";
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
  const bool complete = !trials.isnan().any().item<bool>();
  const Timer timer;
  auto estimate = aggregate(internal_consistency(trials.to(device_of(arguments.device)),
                                                 {arguments.n_splits, arguments.seed, complete}));
  const double seconds = timer.seconds();
  bootstrap_over_neuroids(estimate, {.n_boot = arguments.n_boot});
  Json result;
  result["ceiling"] = number(estimate.value);
  result["error"] = number(estimate.error);
  result["ci_lo"] = number(estimate.ci_lo);
  result["ci_hi"] = number(estimate.ci_hi);
  result["level"] = 0.95;
  result["over"] = "neuroid";
  result["split_ceilings"] = numbers(estimate.split_values);
  result["warnings"] = undefined_warnings(estimate, {});
  add_values(result, "per_neuroid", estimate.per_neuroid, "--per-neuroid");
  if (!arguments.per_neuroid.empty()) write_npy(arguments.per_neuroid, estimate.per_neuroid);
  result["n"] = {{"repetitions", trials.size(0)},
                 {"presentations", trials.size(1)},
                 {"neuroids", trials.size(2)},
                 {"splits", arguments.n_splits}};
  result["timing_ms"] = {{"ceiling", 1e3 * seconds}};
  print_result(result, "ceiling", arguments.json);
}

}  // namespace

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
  verb->add_option("--per-neuroid", arguments->per_neuroid, "write splits x neuroids as .npy");
  verb->add_flag("--json", arguments->json, "print one JSON object");
  verb->callback([arguments] { run_ceiling(*arguments); });
}

}  // namespace cortiscore::cli
