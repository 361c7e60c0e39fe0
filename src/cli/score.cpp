#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/composite.h"
#include "src/cli/flags.h"
#include "src/cli/json_line.h"
#include "src/cli/record_table.h"
#include "src/cli/score_flags.h"
#include "src/core/progress.h"
#include "src/engine/checkpoint_files.h"
#include "src/engine/sweep.h"
#include "src/kinds/kinds.h"
#include "src/results/store.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::vector<std::string> networks;
  std::string tree = "average_vision", variable;
  ScoreFlags flags;
};

void run(const Arguments& arguments, Outcome& outcome) {
  const auto& flags = arguments.flags;
  const auto benchmarks = flags.benchmarks();
  const auto tree = find_tree(arguments.tree);
  std::map<std::string, std::string> names;  // of paths
  for (const auto& path : arguments.networks) {
    if (arguments.networks.size() == 1) break;
    const auto [other, fresh] = names.try_emplace(recorded_name(path), path);
    if (fresh || other->second == path) continue;
    throw bad_input(
        {path, "", "the name \"" + other->first + "\", which " + other->second + " has too",
         "a name each in the results",
         "Use `sweep`, which names them by their folders, or export with --identifier"});
  }
  Store store(flags.store());
  Workbench workbench(flags.options(benchmarks), arguments.networks.size() > 1);
  const auto& options = workbench.options();
  bool header = false;
  const auto print = [&](const Json& record, bool scored) {
    if (flags.json) {
      std::cout << json_line(record) << std::endl;
    } else {
      if (!std::exchange(header, true)) print_header();
      print_row(record);
    }
    if (!scored) return;
    for (const auto& warning : record.at("warnings"))
      log_line("warning: " + warning.get<std::string>());
  };
  const auto begins = [](const Candidate& candidate, const Benchmark& benchmark) {
    log_line(candidate.identifier + " on " + benchmark.identifier);
  };
  // With one pair an error is the process's; with many it is that pair's, and the others go on.
  if (arguments.networks.size() * benchmarks.size() == 1) {
    const auto candidate = open_candidate(arguments.networks.front(), options.device, options.load,
                                          arguments.variable);
    plan_scores(candidate, benchmarks, workbench, &store, flags.again);
    begins(candidate, *benchmarks.front());
    const auto result = score_pair(candidate, *benchmarks.front(), workbench, &store, flags.again);
    return print(result.record, !result.stored);
  }
  std::vector<size_t> all(benchmarks.size());
  std::iota(all.begin(), all.end(), size_t{0});
  std::deque<SweepItem> items;
  for (const auto& path : arguments.networks) {
    Checkpoint checkpoint;
    checkpoint.path = path;
    checkpoint.variable = arguments.variable;
    items.push_back({std::move(checkpoint), all});
  }
  const auto next = [&](const std::stop_token&) -> std::optional<SweepItem> {
    if (items.empty()) return std::nullopt;
    auto item = std::move(items.front());
    items.pop_front();
    return item;
  };
  int64_t failed = 0;
  size_t of_network = 0;
  std::vector<Json> records;  // of a network
  score_items(
      next, benchmarks, workbench, store, flags.again,
      [&](PairEnd end, const Json& record) {
        if (end == PairEnd::kFailed) {
          ++failed;
          log_line("failed: " + record.at("model_identifier").get<std::string>() + " on " +
                   record.at("benchmark_identifier").get<std::string>() + ": " +
                   record.at("message").get<std::string>());
          if (flags.json) print(record, false);
        } else {
          print(record, end == PairEnd::kScored);
          records.push_back(record);
        }
        if (++of_network < benchmarks.size()) return;
        if (!flags.json && records.size() == benchmarks.size())
          print_composite(records, manifests_of(benchmarks), tree);
        records.clear();
        of_network = 0;
      },
      begins);
  if (failed) outcome.exit_code = static_cast<int>(ErrorKind::kPairsFailed);
}

}  // namespace

void add_score(CLI::App& app, Outcome& outcome) {
  auto arguments = std::make_shared<Arguments>();
  auto* verb = app.add_subcommand(
      "score", "A network on benchmarks: raw, ceiling, ceiled, interval, chosen layer");
  verb->add_option("network", arguments->networks,
                   ".pt2 archives, or activations (.npy, .npz, .nc, .h5, .csv, .tsv, .txt)")
      ->required();
  verb->add_option("--variable", arguments->variable,
                   "of a file of activations that holds several arrays, which one");
  add_tree_flag(*verb, arguments->tree);
  arguments->flags.add(*verb);
  verb->callback([arguments, &outcome] { run(*arguments, outcome); });
}

}  // namespace cortiscore::cli
