#include <filesystem>
#include <iostream>
#include <map>
#include <memory>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/composite.h"
#include "src/cli/record_table.h"
#include "src/cli/score_flags.h"
#include "src/core/progress.h"
#include "src/engine/checkpoint_files.h"
#include "src/engine/score_network.h"
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
  // With one pair an error is the process's; with many it is that pair's, and the others go on.
  const bool one = arguments.networks.size() * benchmarks.size() == 1;
  int64_t failed = 0;
  bool header = false;
  const auto print = [&](const Json& record) {
    if (flags.json) {
      std::cout << canonical(record) << std::endl;
    } else {
      if (!std::exchange(header, true)) print_header();
      print_row(record);
    }
  };
  for (const auto& path : arguments.networks) {
    std::vector<Json> records;
    std::optional<Candidate> candidate;
    for (const auto& benchmark : benchmarks) {
      const auto body = [&] {
        if (!candidate) {
          candidate = open_candidate(path, workbench.options().device, workbench.options().load,
                                     arguments.variable);
          plan_scores(*candidate, benchmarks, workbench, &store, flags.again);
        }
        log_line(candidate->identifier + " on " + benchmark->identifier);
        auto result = score_pair(*candidate, *benchmark, workbench, &store, flags.again);
        print(result.record);
        if (!result.stored) {
          for (const auto& warning : result.record.at("warnings"))
            log_line("warning: " + warning.get<std::string>());
        }
        records.push_back(std::move(result.record));
      };
      if (one) {
        body();
      } else if (const auto failure = attempt(body)) {
        ++failed;
        const auto name =
            candidate ? candidate->identifier : std::filesystem::path(path).stem().string();
        const auto record = failure_record(name, path, *benchmark, *failure);
        store.append(record);
        log_line("failed: " + name + " on " + benchmark->identifier + ": " + failure->message);
        if (flags.json) print(record);
      }
    }
    if (!flags.json && records.size() == benchmarks.size())
      print_composite(records, manifests_of(benchmarks), tree);
  }
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
  verb->add_option("--tree", arguments->tree, "how benchmarks become one: a tree, or its file")
      ->capture_default_str();
  arguments->flags.add(*verb);
  verb->callback([arguments, &outcome] { run(*arguments, outcome); });
}

}  // namespace cortiscore::cli
