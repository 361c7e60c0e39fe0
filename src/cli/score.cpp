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
#include "src/core/folders.h"
#include "src/core/progress.h"
#include "src/engine/score_network.h"
#include "src/results/store.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::vector<std::string> networks, benchmarks, layers;
  std::string convention = "r2_over_c", results, mode = "sklearn";
  int64_t candidates = 12, n_boot = 1000;
  double memory_gib = 4;
  bool json = false, again = false;
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
  std::printf("%-30s %-30s %6s %8s %7s %15s  %7s  mean of %s\n", network.c_str(), "composite", "",
              "", cell(composite).c_str(), interval.c_str(), "", names.c_str());
}

std::map<std::string, std::string> committed(const std::vector<std::string>& layers) {
  std::map<std::string, std::string> out;
  for (const auto& entry : layers) {
    const auto equals = entry.find('=');
    if (equals == std::string::npos)
      out[""] = entry;
    else
      out[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return out;
}

void run(const Arguments& arguments, Outcome& outcome) {
  ScoreOptions options;
  options.convention = ceiling_convention(arguments.convention);
  options.layers = committed(arguments.layers);
  options.n_candidates = arguments.candidates;
  options.memory_gib = arguments.memory_gib;
  options.mode = arguments.mode == "exact" ? TopVectorMode::kExact : TopVectorMode::kSklearn;
  options.bootstrap.n_boot = arguments.n_boot;
  std::vector<Benchmark> benchmarks;
  for (const auto& name : arguments.benchmarks) benchmarks.push_back(find_benchmark(name));
  Store store(arguments.results.empty() ? home() + "/results" : arguments.results);

  Workbench workbench(options);
  // With one pair an error is the process's; with many it is that pair's, and the others go on.
  const bool one = arguments.networks.size() * benchmarks.size() == 1;
  int64_t failed = 0;
  bool header = false;
  for (const auto& path : arguments.networks) {
    std::vector<Json> records;
    std::optional<Candidate> candidate;
    auto name = std::filesystem::path(path).stem().string();
    for (const auto& benchmark : benchmarks) {
      try {
        if (!candidate) candidate = open_candidate(path);
        name = candidate->identifier;
        const auto key = record_key(candidate->fingerprint, benchmark, workbench);
        auto record = arguments.again ? std::nullopt : store.find(key);
        const bool stored = record.has_value();
        if (!stored) {
          log_line(name + " on " + benchmark.identifier);
          record = score_network(*candidate, benchmark, workbench);
        }
        if (!stored) store.append(*record);
        if (arguments.json)
          std::cout << canonical(*record) << std::endl;
        else {
          if (!std::exchange(header, true)) print_header();
          print_row(*record);
        }
        if (!stored) {
          for (const auto& warning : record->at("warnings"))
            log_line("warning: " + warning.get<std::string>());
        }
        records.push_back(std::move(*record));
      } catch (const Error& e) {
        if (one) throw;
        ++failed;
        log_line("failed: " + name + " on " + benchmark.identifier + ": " + e.what());
        const auto record = failure_record(name, path, benchmark, e.exit_code(), e.what());
        store.append(record);
        if (arguments.json) std::cout << canonical(record) << std::endl;
      }
    }
    if (!arguments.json && records.size() == benchmarks.size()) print_composite(name, records);
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
  verb->add_option("-b,--benchmark", arguments->benchmarks,
                   "identifier or manifest; repeat for several")
      ->required()
      ->allow_extra_args(false);
  verb->add_option("-l,--layer", arguments->layers,
                   "layer to commit to: NAME, or REGION=NAME; without it, layers compete on "
                   "alternating halves")
      ->allow_extra_args(false);
  verb->add_option("--candidates", arguments->candidates,
                   "layers that compete, evenly spaced in depth")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb->add_option("--ceiling-convention", arguments->convention,
                   "r2_over_c (since 2026) or r_over_c_squared")
      ->capture_default_str();
  verb->add_option("--mode", arguments->mode, "PLS: sklearn (the iterate it stops at) or exact")
      ->check(CLI::IsMember({"sklearn", "exact"}))
      ->capture_default_str();
  verb->add_option("--bootstrap", arguments->n_boot, "bootstrap draws")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb->add_option("--memory-gib", arguments->memory_gib, "GiB of activations held at a time")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb->add_option("--results", arguments->results,
                   "store of results; default $CORTISCORE_HOME/results");
  verb->add_flag("--again", arguments->again, "score even where the same score is stored");
  verb->add_flag("--json", arguments->json, "print one JSON record a line");
  verb->callback([arguments, &outcome] { run(*arguments, outcome); });
}

}  // namespace cortiscore::cli
