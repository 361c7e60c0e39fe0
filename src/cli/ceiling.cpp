#include "src/given/ceiling.h"

#include <memory>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/flags.h"
#include "src/cli/metric_output.h"
#include "src/data/arrays.h"

namespace cortiscore::cli {
namespace {

struct CeilingFlags : CeilingArguments {
  std::string per_neuroid_file;
  bool json = false;
};

void run(const CeilingFlags& flags) {
  const auto found = ceiling_on(flags);
  if (!flags.per_neuroid_file.empty() && found.arrays.contains("per_neuroid"))
    write_npy(flags.per_neuroid_file, found.arrays.at("per_neuroid"));
  print_result(found, "ceiling", flags.json);
}

}  // namespace

void add_ceiling(CLI::App& app, Outcome& /*outcome*/) {
  auto arguments = std::make_shared<CeilingFlags>();
  auto* verb = app.add_subcommand(
      "ceiling",
      "What the data's own noise allows, from repeated trials, subjects or their choices");
  auto& a = *arguments;
  std::string names;
  for (const auto& name : ceiling_names()) names += (names.empty() ? "" : ", ") + name;
  offer(verb->add_option("name", a.name, names)->required(), ceiling_names());
  verb->add_option(
          "--trials", a.trials,
          "repetitions x presentations x neuroids, NaN where missing: .npy, .npz, .h5, or an "
          "assembly .nc with a repetition coordinate; RDMs, subjects x n x n; choices as CSV")
      ->required();
  verb->add_option("--variable", a.variables,
                   "of a file that holds several arrays (.nc, .h5, .npz), which one")
      ->allow_extra_args(false);
  verb->add_option("--ceiling-splits", a.ceiling_splits, "split halves")
      ->capture_default_str()
      ->check(count());
  verb->add_option("--seed", a.seed,
                   "seed of the splits [internal_consistency 1, split_half_predictor 0]")
      ->check(seed_number());
  add_comparison_flag(*verb, a.comparison);
  verb->add_option("--whole", a.whole, "accuracy_delta: condition of the whole images");
  verb->add_option("--manipulated", a.manipulated,
                   "accuracy_delta: condition of the manipulated ones");
  add_device_flag(*verb, a.device);
  verb->add_option("--bootstrap", a.n_boot, "draws of the bootstrap; 0 for none [1000]")
      ->check(count_or_none());
  verb->add_option("--over", a.over,
                   "choices: what is drawn: presentation, subject [presentation]");
  verb->add_option("--level", a.level, "of the interval")
      ->check(number_between(0, 1))
      ->capture_default_str();
  verb->add_option("--per-neuroid", a.per_neuroid_file, "write splits x neuroids as .npy");
  verb->add_flag("--json", a.json, "print one JSON object");
  verb->callback([arguments] { run(*arguments); });
}

}  // namespace cortiscore::cli
