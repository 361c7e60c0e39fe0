#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/record_table.h"
#include "src/cli/score_flags.h"
#include "src/core/progress.h"
#include "src/engine/score_network.h"
#include "src/results/store.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::vector<std::string> networks;
  ScoreFlags flags;
};

// The composite: the mean over nodes of the tree of the mean over their benchmarks. A missing score leaves none.
void print_composite(const std::string& network, const std::vector<Json>& records) {
  std::map<std::string, std::vector<double>> nodes;
  double variance = 0;
  for (const auto& record : records) {
    if (record.at("composite").get<bool>())
      nodes[record.at("parent")].push_back(value_of(record.at("score"), "ceiled"));
  }
  if (nodes.size() < 2) return;
  double sum = 0;
  for (const auto& [parent, values] : nodes) {
    double node = 0;
    for (const auto value : values) node += value;
    sum += node / static_cast<double>(values.size());
    const double share = 1.0 / static_cast<double>(values.size() * nodes.size());
    for (const auto& record : records) {
      if (record.at("parent") != parent || !record.at("composite").get<bool>()) continue;
      const double error = value_of(record.at("error"), "ceiled");
      variance += share * share * error * error;
    }
  }
  const double composite = sum / static_cast<double>(nodes.size());
  const double half = 1.96 * std::sqrt(variance);
  std::string names;
  for (const auto& [parent, values] : nodes) names += (names.empty() ? "" : ", ") + parent;
  const auto interval = cell(composite - half) + " .. " + cell(composite + half);
  std::printf("%-30s %-40s %6s %8s %7s %15s  %7s  mean of %s\n", network.c_str(), "composite", "",
              "", cell(composite).c_str(), interval.c_str(), "", names.c_str());
}

void run(const Arguments& arguments, Outcome& outcome) {
  const auto& flags = arguments.flags;
  const auto benchmarks = flags.benchmarks();
  Store store(flags.store());
  Workbench workbench(flags.options());
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
        if (!candidate) candidate = open_candidate(path, workbench.options().device);
        log_line(candidate->identifier + " on " + benchmark.identifier);
        auto result = score_pair(*candidate, benchmark, workbench, &store, flags.again);
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
        const auto record = failure_record(name, path, benchmark, *failure);
        store.append(record);
        log_line("failed: " + name + " on " + benchmark.identifier + ": " + failure->message);
        if (flags.json) print(record);
      }
    }
    if (!flags.json && records.size() == benchmarks.size())
      print_composite(records.front().at("model_identifier"), records);
  }
  if (failed) outcome.exit_code = static_cast<int>(ErrorKind::kPairsFailed);
}

}  // namespace

void add_score(CLI::App& app, Outcome& outcome) {
  auto arguments = std::make_shared<Arguments>();
  auto* verb = app.add_subcommand(
      "score", "A network on benchmarks: raw, ceiling, ceiled, interval, chosen layer");
  verb->add_option("network", arguments->networks,
                   ".pt2 archives, or activations (.npy, .nc, .csv)")
      ->required();
  arguments->flags.add(*verb);
  verb->callback([arguments, &outcome] { run(*arguments, outcome); });
}

}  // namespace cortiscore::cli
