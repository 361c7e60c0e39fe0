#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>

#include <ATen/Parallel.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "src/cli/commands.h"
#include "src/cli/flags.h"
#include "src/cli/slurm.h"
#include "src/cli/usage.h"
#include "src/core/failure.h"
#include "src/core/host_allocator.h"
#include "src/core/parallel.h"
#include "src/core/printable.h"
#include "src/core/progress.h"

namespace {

constexpr int kOutputLost = 74;  // EX_IOERR of sysexits.h

constexpr const char* kFooter =
    "Exit codes: 0 all done, 2 usage, 3 some pairs failed (the rest stored), 4 unknown name, 5 bad "
    "input or hash,\n"
    "6 out of memory, 7 no usable device, 70 internal, 74 output lost, 75 stopped: run it again to "
    "go on (SIGUSR1, "
    "or SIGTERM in a Slurm job),\n"
    "130 interrupted, 143 terminated.\n"
    "Results go to stdout, progress and messages to stderr.";

// A flag that takes one value each time is not shown as one that takes several; of many names, the
// description says which.
class Help : public CLI::Formatter {
  static constexpr size_t kWidestType = 80;

 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    auto text = CLI::Formatter::make_option_opts(option);
    const auto several = option->get_allow_extra_args() ? std::string::npos : text.find(" ...");
    if (several != std::string::npos) text.erase(several, 4);
    const auto type = option->get_type_name();
    const auto at = type.size() > kWidestType ? text.find(type) : std::string::npos;
    return at == std::string::npos ? text : text.replace(at, type.size(), "NAME");
  }
};

// A message as a terminal can show it: what is echoed in it may be a file's name, or a cell, of any
// length.
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

int run(int argc, char** argv) {
  using cortiscore::set_progress;
  using cortiscore::set_quiet;
  using cortiscore::set_thread_count;
  namespace cli = cortiscore::cli;
  CLI::App app{"Scores artificial neural networks against the brain.", "cortiscore"};
  app.formatter(std::make_shared<Help>());
  app.require_subcommand(1);
  app.fallthrough();  // flags of every verb are known after it as well
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
  std::vector<std::string> notes;  // on the words themselves
  app.parse_complete_callback([&] {
    set_thread_count(threads);
    set_quiet(quiet);
    set_progress(!no_progress);
    for (const auto& note : notes) cortiscore::log_line("note: " + note);
    at::set_num_threads(
        1);  // parallel over folds, layers and micro-batches instead: see core/parallel.h
  });
  cli::Outcome outcome;
  cli::add_score(app, outcome);
  cli::add_metric(app, outcome);
  cli::add_ceiling(app, outcome);
  cli::add_model(app, outcome);
  cli::add_profile(app, outcome);
  cli::add_layers(app, outcome);
  cli::add_sweep(app, outcome);
  cli::add_results(app, outcome);
  cli::add_ranking(app, outcome);
  cli::add_benchmark(app, outcome);
  cli::add_data(app, outcome);
  cli::add_extract(app, outcome);
  cli::add_doctor(app, outcome);
  cli::add_completion(app, outcome);
  try {
    cli::refuse_empty_values(app);
    auto [words, found] = cli::words_of(app, argc, argv);
    notes = std::move(found);
    cli::keep_arguments(words);
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    throw cli::usage_error(app, e);
  }
  return outcome.exit_code;
}

// What was printed has arrived, or it is said: a file on a full disk would look whole.
int checked_output(int exit_code) {
  std::cout.flush();
  const bool lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout;
  if (!lost) return exit_code;
  std::fprintf(stderr,
               "cortiscore: standard output: not all of it could be written (%s), expected room. "
               "What is said to be stored is stored.\n",
               errno ? std::strerror(errno) : "an error before");
  return exit_code == 0 ? kOutputLost : exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    cortiscore::use_caching_host_allocator();
    return checked_output(run(argc, argv));
  } catch (...) {
    return fail(cortiscore::current_failure());
  }
}
