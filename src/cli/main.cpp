#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <ATen/Parallel.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/flags.h"
#include "src/cli/slurm.h"
#include "src/core/failure.h"
#include "src/core/host_allocator.h"
#include "src/core/parallel.h"
#include "src/core/printable.h"
#include "src/core/progress.h"

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 all done, 2 usage, 3 some pairs failed (the rest stored), 4 unknown name, 5 bad "
    "input or hash,\n"
    "6 out of memory, 7 no usable device, 70 internal, 75 stopped: run it again to go on (SIGUSR1, "
    "or SIGTERM in a Slurm job),\n"
    "130 interrupted, 143 terminated.\n"
    "Results go to stdout, progress and messages to stderr.";

// A flag that takes one value each time is not shown as one that takes several.
class Help : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    auto text = CLI::Formatter::make_option_opts(option);
    const auto several = option->get_allow_extra_args() ? std::string::npos : text.find(" ...");
    return several == std::string::npos ? text : text.erase(several, 4);
  }
};

// A message as a terminal can show it: what is echoed in it may be a file's name, or a cell, of any length.
std::string shortened(const std::string& message) {
  constexpr size_t kMost = 2000, kEnd = 700;
  if (message.size() <= kMost) return message;
  const auto whole = [&](size_t at) {  // no character is cut through
    while (at < message.size() && (static_cast<unsigned char>(message[at]) & 0xC0U) == 0x80U) ++at;
    return at;
  };
  const auto from = whole(kEnd), to = whole(message.size() - kEnd);
  return message.substr(0, from) + " [... " + std::to_string(to - from) + " bytes ...] " +
         message.substr(to);
}

int fail(const cortiscore::Failure& failure) {
  std::fprintf(stderr, "cortiscore: %s\n", shortened(failure.message).c_str());
  return failure.exit_code;
}

// Flags that do not parse, in the words of every other message.
int fail(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* verb = &app;
  while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
  std::string name;
  for (const auto* part = verb; part; part = part->get_parent())
    name = part->get_name() + (name.empty() ? "" : " " + name);
  std::string what = error.what();
  // A flag that nobody knows says more than that something is missing beside it.
  if (const auto unknown = app.remaining(true);
      dynamic_cast<const CLI::RequiredError*>(&error) && !unknown.empty())
    what = CLI::ExtrasError(unknown).what();
  if (!what.empty() && what.back() == '.') what.pop_back();
  return fail({static_cast<int>(cortiscore::ErrorKind::kUsage),
               cortiscore::printable(what + ". `" + name + " --help` lists what it takes.")});
}

int run(int argc, char** argv) {
  using cortiscore::set_progress;
  using cortiscore::set_quiet;
  using cortiscore::set_thread_count;
  namespace cli = cortiscore::cli;
  CLI::App app{"Scores artificial neural networks against the brain.", "cortiscore"};
  app.formatter(std::make_shared<Help>());
  app.require_subcommand(1);
  app.footer(kFooter);
  app.set_version_flag("--version", "cortiscore " CORTISCORE_VERSION);
  int64_t threads = 0;
  app.add_option("--threads", threads,
                 "CPU threads; 0 takes all. No number changes a bit of a score")
      ->capture_default_str()
      ->check(cli::whole_number(0, 4096));
  bool quiet = false;
  bool no_progress = false;
  app.add_flag("-q,--quiet", quiet, "no messages on stderr but errors");
  app.add_flag("--no-progress", no_progress,
               "no progress line (off anyway where stderr is no terminal)");
  app.parse_complete_callback([&] {
    set_thread_count(threads);
    set_quiet(quiet);
    set_progress(!no_progress);
    at::set_num_threads(
        1);  // parallel over folds, layers and micro-batches instead: see core/parallel.h
  });
  cli::Outcome outcome;
  cli::add_score(app, outcome);
  cli::add_metric(app, outcome);
  cli::add_ceiling(app, outcome);
  cli::add_model(app, outcome);
  cli::add_layers(app, outcome);
  cli::add_sweep(app, outcome);
  cli::add_results(app, outcome);
  cli::add_benchmark(app, outcome);
  cli::add_data(app, outcome);
  cli::add_extract(app, outcome);
  cli::add_doctor(app, outcome);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return e.get_exit_code() == 0 ? app.exit(e) : fail(app, e);
  }
  return outcome.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    cortiscore::use_caching_host_allocator();
    cortiscore::cli::keep_arguments(argc, argv);
    return run(argc, argv);
  } catch (...) {
    return fail(cortiscore::current_failure());
  }
}
