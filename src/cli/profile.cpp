#include "src/profile/profile.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/flags.h"
#include "src/cli/json_line.h"
#include "src/cli/profile_table.h"
#include "src/cli/score_flags.h"
#include "src/cli/slurm.h"
#include "src/core/progress.h"
#include "src/core/stop.h"
#include "src/core/whole_file.h"
#include "src/data/json_file.h"
#include "src/profile/compare_machines.h"
#include "src/profile/page.h"
#include "src/results/store.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::string network, variable, trace, page;
  ScoreFlags flags;
  int64_t repetitions = 10, checkpoints = 0;
  double minutes = 10;
  bool remeasure = false, suggest_only = false;
};

Error cannot_write(const std::string& path) {
  return bad_input(
      {path, "", "a file that cannot be written", "room for it", "Name another place"});
}

// What is there stays as it is, and nothing is left where nothing was.
void check_writable(const std::string& path) {
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  if (!std::ofstream(path, std::ios::app)) throw cannot_write(path);
  if (!there) std::filesystem::remove(path, error);
}

void write_file(const std::string& path, const std::string& text) {
  write_whole(path, [&](std::ostream& file) { file << text; });
}

std::string command_line() {
  std::string command = "cortiscore";
  auto words = own_arguments();
  words.erase(words.begin());
  for (const auto& word : words) {
    const bool plain = word.find_first_of(" '\"$\\*?;&|<>()#~!`[]{}\t\n") == std::string::npos;
    command += " " + (plain ? word : quoted(word));
  }
  return command;
}

void run(const Arguments& arguments, Outcome& outcome) {
  const auto& flags = arguments.flags;
  ProfileOptions options;
  options.job.network = arguments.network;
  options.job.variable = arguments.variable;
  options.job.benchmarks = flags.benchmarks();
  options.job.options = flags.options(options.job.benchmarks);
  auto& of_job = options.job.options;  // one budget for all of its runs
  of_job.null_draws = 0;               // it is made once a benchmark, not once a run
  if (of_job.memory_gib == 0) of_job.memory_gib = usual_memory_gib(of_job.device);
  options.job.scratch = flags.store();
  options.most_pairs = arguments.repetitions;
  options.minutes = arguments.minutes;
  options.checkpoints = arguments.checkpoints;
  options.try_change = !arguments.suggest_only;
  options.measure_limits = arguments.remeasure;
  options.command = command_line();
  for (const auto& path : {arguments.trace, arguments.page}) {
    if (!path.empty()) check_writable(path);  // before minutes of work
  }
  std::optional<Profile> made;
  stop_on_signals();
  try {
    made = profile_job(options);
  } catch (const Stopped&) {
    outcome.exit_code = exit_code_of(stop_signal());
    log_line("stopped: a profile is whole or not there; the same command begins anew");
    return;
  }
  const auto& profile = *made;
  if (!arguments.trace.empty())
    write_file(arguments.trace, canonical(trace_json(profile.spans)) + "\n");
  if (!arguments.page.empty()) write_file(arguments.page, profile_page({profile.json}));
  if (flags.json)
    std::cout << json_line(profile.json) << std::endl;
  else
    print_profile(profile.json);
}

struct CompareArguments {
  std::vector<std::string> profiles;
  std::string page;
  bool json = false;
};

void compare(const CompareArguments& arguments) {
  std::vector<Json> profiles;
  for (const auto& path : arguments.profiles) {
    profiles.push_back(read_json(path, "a profile, as `cortiscore profile --json` prints it"));
    check_profile(profiles.back(), path);
  }
  const auto found = compare_machines(profiles, arguments.profiles);
  if (!arguments.page.empty()) write_file(arguments.page, profile_page(profiles));
  if (arguments.json)
    std::cout << json_line(found) << std::endl;
  else
    print_machines(found);
}

}  // namespace

void add_profile(CLI::App& app, Outcome& outcome) {
  auto arguments = std::make_shared<Arguments>();
  auto* verb = app.add_subcommand(
      "profile",
      "Where a scoring job's time goes, how far from the machine's limits, what would help");
  verb->add_option("network", arguments->network,
                   "a .pt2 archive, or activations (.npy, .npz, .nc, .h5, .csv, .tsv, .txt)")
      ->required();
  verb->add_option("--variable", arguments->variable,
                   "of a file of activations that holds several arrays, which one");
  arguments->flags.add_job(*verb);
  add_results_flag(*verb, arguments->flags.results);
  verb->add_option("--repetitions", arguments->repetitions,
                   "runs at most with the clock of stages, and as many without, by turns; fewer "
                   "where the time is known to 2 % before")
      ->capture_default_str()
      ->check(count(1000));
  verb->add_option("--minutes", arguments->minutes, "after which no run begins but the first three")
      ->capture_default_str()
      ->check(positive_number());
  verb->add_option("--checkpoints", arguments->checkpoints, "of a sweep: how many hours it takes")
      ->check(count());
  verb->add_flag("--suggest-only", arguments->suggest_only,
                 "predict what would help, without trying it");
  verb->add_flag("--remeasure", arguments->remeasure,
                 "the machine's limits, which are kept from one profile to the next");
  verb->add_option("--trace", arguments->trace, "file for a trace that Perfetto opens");
  verb->add_option("--page", arguments->page, "file for a page (.html) that works by itself");
  verb->add_flag("--json", arguments->flags.json, "print the profile as JSON");
  verb->callback([arguments, &outcome] { run(*arguments, outcome); });

  auto of_machines = std::make_shared<CompareArguments>();
  auto* compared = app.add_subcommand(
      "compare-machines",
      "Profiles of one job on several machines, side by side; or the page of one");
  compared->add_option("profiles", of_machines->profiles, "files of `cortiscore profile --json`")
      ->required()
      ->expected(1, 1000);
  compared->add_option("--page", of_machines->page, "file for a page (.html) that works by itself");
  compared->add_flag("--json", of_machines->json, "print one JSON object");
  compared->callback([of_machines] { compare(*of_machines); });
}

}  // namespace cortiscore::cli
