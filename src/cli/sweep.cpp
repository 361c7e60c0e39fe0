#include "src/engine/sweep.h"

#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/flags.h"
#include "src/cli/json_line.h"
#include "src/cli/record_table.h"
#include "src/cli/score_flags.h"
#include "src/cli/slurm.h"
#include "src/cli/sweep_workers.h"
#include "src/core/device.h"
#include "src/core/parallel.h"
#include "src/core/printable.h"
#include "src/core/progress.h"
#include "src/core/stop.h"
#include "src/engine/options.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::vector<std::string> checkpoints, tables;
  std::string graph, prefix, shard = "0/1";
  ScoreFlags flags;
  SweepOptions options;
  SlurmFlags slurm;
  bool dry_run = false;
  std::string worker;  // the device of a worker, which takes its items from stdin
  int64_t worker_threads = 1;
};

std::string duration(double seconds) {
  if (!std::isfinite(seconds)) return "unknown";
  char text[48];
  const auto whole = static_cast<long long>(seconds + 0.5);
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
  else if (whole >= 60)
    std::snprintf(text, sizeof text, "%lld min %02lld s", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%lld s", whole);
  return text;
}

void parse_shard(const std::string& text, SweepOptions& options) {
  long long i = 0, n = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%lld/%lld%c", &i, &n, &rest) != 2 || n < 1 || i < 0 || i >= n) {
    throw Error(ErrorKind::kUsage, "--shard: found \"" + text +
                                       "\", expected I/N with I from 0 to N-1, e.g. "
                                       "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT.");
  }
  options.shard = i;
  options.shards = n;
}

// Where the sweep stands, for a person: on a terminal each time, else once a minute.
class Report {
 public:
  explicit Report(int64_t n_benchmarks) : n_benchmarks_(n_benchmarks) {}

  void add(const Json& record, const SweepState& state) {
    if (record.at("status") == "ok") {
      const double ceiled = value_of(record.at("score"), "ceiled");
      if (!(ceiled <= best_)) {
        best_ = ceiled;
        best_name_ = printable(record.at("model_identifier").get<std::string>()) + " on " +
                     printable(record.at("benchmark_identifier").get<std::string>());
      }
    }
    if (set_status(line(state)) || timer_.seconds() - last_ < 60) return;
    last_ = timer_.seconds();
    log_line(line(state));
  }

  std::string line(const SweepState& state) const {
    const double seconds = timer_.seconds();
    const auto done = state.stored + state.scored + state.failed;
    const auto now = static_cast<double>(state.scored + state.failed);
    const double hourly = now / static_cast<double>(n_benchmarks_) / seconds * 3600;
    auto text = std::to_string(done) + " of " + std::to_string(state.pairs) + " pairs";
    if (now > 0) {
      char rate[64];
      std::snprintf(rate, sizeof rate, ", %.0f checkpoints an hour, ", hourly);
      text += rate + duration(seconds / now * static_cast<double>(state.pairs - done)) + " left";
    }
    if (!best_name_.empty()) text += ", best " + cell(best_) + " (" + best_name_ + ")";
    if (state.failed) text += ", " + std::to_string(state.failed) + " failed";
    return text;
  }

 private:
  int64_t n_benchmarks_;
  double best_ = std::nan(""), last_ = 0;
  std::string best_name_;
  Timer timer_;
};

void print_plan(const SweepPlan& plan, bool json) {
  if (json) {
    Json pairs = Json::array();
    for (const auto& [path, benchmark] : plan.pairs)
      pairs.push_back({{"path", path}, {"benchmark_identifier", benchmark}});
    std::cout << json_line({{"pairs", pairs},
                            {"stored", plan.state.stored},
                            {"seconds", number(plan.seconds)},
                            {"stimulus_bytes", plan.stimulus_bytes},
                            {"planned_bytes", plan.planned_bytes},
                            {"spilled_bytes", plan.spilled_bytes},
                            {"forward_passes", plan.forward_passes}})
              << '\n';
    return;
  }
  for (const auto& [path, benchmark] : plan.pairs)
    std::printf("%s  %s\n", printable(path).c_str(), benchmark.c_str());
  std::printf(
      "%lld pairs, of which %lld are stored and %lld would be scored; time, from stored "
      "results of these benchmarks: %s\nmemory, for the first checkpoint: %.2f GiB of "
      "decoded stimuli; %.2f GiB of micro-batches, activations and what becomes of them; %.2f GiB "
      "on disk; %lld forward passes\n",
      static_cast<long long>(plan.state.pairs), static_cast<long long>(plan.state.stored),
      static_cast<long long>(plan.pairs.size()), duration(plan.seconds).c_str(),
      static_cast<double>(plan.stimulus_bytes) / (1 << 30),
      static_cast<double>(plan.planned_bytes) / (1 << 30),
      static_cast<double>(plan.spilled_bytes) / (1 << 30),
      static_cast<long long>(plan.forward_passes));
}

void serve(const Arguments& arguments, Outcome& outcome) {
  auto flags = arguments.flags;
  flags.device = arguments.worker;
  set_thread_count(arguments.worker_threads);
  set_progress(false);
  stop_on_signals();
  const auto benchmarks = flags.benchmarks();
  Workbench workbench(flags.options(benchmarks), /*many_networks=*/true);
  Store store(flags.store());
  try {
    serve_sweep(benchmarks, workbench, store, flags.again);
  } catch (const Stopped&) {
    outcome.exit_code = exit_code_of(stop_signal());
  }
}

void run(const Arguments& arguments, Outcome& outcome) {
  if (!arguments.worker.empty()) return serve(arguments, outcome);
  auto flags = arguments.flags;
  auto options = arguments.options;
  options.again = flags.again;
  parse_shard(arguments.shard, options);
  std::vector<std::string> notes;
  auto checkpoints = expand(arguments.checkpoints, arguments.graph, notes);
  for (const auto& table : arguments.tables) {
    for (auto& checkpoint : read_checkpoint_table(table))
      checkpoints.push_back(std::move(checkpoint));
  }
  for (const auto& note : notes) log_line("note: " + printable(note));
  if (!arguments.prefix.empty()) {
    for (auto& checkpoint : checkpoints) {
      if (checkpoint.graph.empty()) {
        throw Error(ErrorKind::kUsage,
                    "--prefix: found " + checkpoint.path +
                        ", which is run by itself, expected weights of a --graph.");
      }
      checkpoint.prefix = arguments.prefix;
    }
  }
  name_checkpoints(checkpoints);
  if (checkpoints.empty()) {
    throw Error(ErrorKind::kUsage, "sweep: name checkpoints, or a --checkpoint-table of them.");
  }
  const auto benchmarks = flags.benchmarks();
  check_regions(layers_by_region(flags.layers), benchmarks);
  Store store(flags.store());
  // The machine that submits need not have the devices that its tasks will.
  if (arguments.slurm.submit && !arguments.dry_run) {
    outcome.exit_code = submit_array(arguments.slurm, own_arguments(), store.folder());
    return;
  }
  const auto devices = devices_of(flags.device);
  flags.device = devices.front();
  Workbench workbench(flags.options(benchmarks), /*many_networks=*/true);
  if (arguments.dry_run)
    return print_plan(plan_sweep(checkpoints, benchmarks, workbench, store, options), flags.json);

  stop_on_signals();
  for (const auto& sentence : store.damage()) log_line("warning: " + sentence);
  Report report(static_cast<int64_t>(benchmarks.size()));
  bool header = false;
  SweepState last;
  const std::function<void(const Json&, const SweepState&)> each = [&](const Json& record,
                                                                       const SweepState& state) {
    last = state;
    if (flags.json) {
      erase_line();
      std::cout << json_line(record) << std::endl;
    } else {
      if (!std::exchange(header, true)) print_header();
      print_row(record);
    }
    report.add(record, state);
  };
  try {
    auto items = items_left(checkpoints, benchmarks, workbench, store, options, last);
    last = sweep_by_workers(std::move(items), last, devices, benchmarks, workbench, store, options,
                            each);
  } catch (const Stopped&) {
    set_status("");
    outcome.exit_code = exit_code_of(stop_signal());
    log_line("stopped: " + std::to_string(last.scored + last.failed) +
             " pairs of this run are stored; the same command goes on from here");
    return;
  }
  set_status("");
  log_line(std::to_string(last.pairs) + " pairs: " + std::to_string(last.scored) + " scored, " +
           std::to_string(last.stored) + " stored before, " + std::to_string(last.failed) +
           " failed" + (last.limited ? ", the rest left by --limit or --max-failures" : ""));
  if (last.failed) outcome.exit_code = static_cast<int>(ErrorKind::kPairsFailed);
}

}  // namespace

void add_sweep(CLI::App& app, Outcome& outcome) {
  auto arguments = std::make_shared<Arguments>();
  auto* verb = app.add_subcommand(
      "sweep", "Many checkpoints on benchmarks, each pair once; goes on where it was stopped");
  verb->add_option(
      "checkpoints", arguments->checkpoints,
      "paths, quoted patterns or folders of a run: .pt2 archives, activations, or with "
      "--graph weights (.safetensors, .pth, .ckpt, .bin, their indexes, .pt2)");
  verb->add_option("--checkpoint-table", arguments->tables,
                   "CSV with a column model, optionally weights and identifier; other columns are "
                   "tags that records carry");
  verb->add_option("--graph", arguments->graph, "archive whose graph runs the weight files");
  verb->add_option("--prefix", arguments->prefix,
                   "beginning of the names in weight files that are meant, e.g. student.");
  verb->add_option("--shard", arguments->shard, "part I/N of the checkpoints, I from 0")
      ->capture_default_str();
  verb->add_option("--limit", arguments->options.limit, "pairs to score at most; 0: all")
      ->capture_default_str()
      ->check(count_or_none());
  verb->add_option("--max-failures", arguments->options.max_failures,
                   "stop after so many failed pairs; 0: never")
      ->capture_default_str()
      ->check(count_or_none());
  verb->add_flag("--dry-run", arguments->dry_run, "say what would run, with time and memory");
  auto& slurm = arguments->slurm;
  verb->add_flag("--slurm", slurm.submit, "submit a job array of shards to Slurm instead");
  verb->add_option("--slurm-tasks", slurm.tasks, "array tasks")
      ->capture_default_str()
      ->check(count(1000000));
  verb->add_option("--slurm-throttle", slurm.throttle, "tasks that run at once; 0: no limit")
      ->capture_default_str()
      ->check(count_or_none());
  verb->add_option("--slurm-partition", slurm.partition, "sbatch --partition");
  verb->add_option("--slurm-time", slurm.time, "sbatch --time: at the limit a task is requeued");
  verb->add_option("--slurm-gres", slurm.gres, "sbatch --gres, e.g. gpu:1");
  verb->add_option(
      "--slurm-profile", slurm.profile,
      "file with more lines for the head of the script (#SBATCH ..., module load ...)");
  verb->add_flag("--slurm-wait", slurm.wait, "return when no task is left, with their exit code");
  arguments->flags.add(*verb, /*several_devices=*/true);
  verb->add_option("--worker", arguments->worker)->group("");
  verb->add_option("--worker-threads", arguments->worker_threads)->group("");
  verb->callback([arguments, &outcome] { run(*arguments, outcome); });
}

}  // namespace cortiscore::cli
