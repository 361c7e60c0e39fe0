#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include <ATen/core/Tensor.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/benchmark/recordings.h"
#include "src/benchmark/tree.h"
#include "src/cli/commands.h"
#include "src/cli/flags.h"
#include "src/cli/json_line.h"
#include "src/cli/record_table.h"
#include "src/cli/table.h"
#include "src/core/printable.h"
#include "src/core/progress.h"
#include "src/core/terminal.h"
#include "src/engine/workbench.h"
#include "src/kinds/kinds.h"
#include "src/kinds/listing.h"
#include "src/results/store.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::string name;
  BenchmarkFilter filter;
  bool json = false;
};

// What only the data can say: sizes, and the ceiling of all presentations.
Json measured_of(const Benchmark& benchmark) {
  Workbench workbench({}, /*many_networks=*/false);
  Json measured = {{"stimuli", benchmark.recordings(workbench).stimuli.size()}};
  benchmark.measure(measured, workbench);
  return measured;
}

void list(const Arguments& arguments) {
  const auto rows = listed(arguments.filter);
  int64_t width = 9;
  for (const auto& [benchmark, json] : rows)
    width = std::max(width, columns_of(benchmark->identifier));
  const std::vector<Column> columns = {
      {0, width, true}, {1, 9, true}, {1, 20, true}, {1, 28, true}, {1, 16, true}};
  if (!arguments.json && !rows.empty())
    print_cells(columns, {"benchmark", "region", "metric", "ceiling", "data"});
  for (const auto& [found, json] : rows) {
    const auto& benchmark = *found;
    if (arguments.json) {
      std::cout << json_line(json) << '\n';
      continue;
    }
    const auto data = json.at("here").get<bool>()       ? "here"
                      : benchmark.how_to_import.empty() ? "missing"
                                                        : "run: " + benchmark.how_to_import;
    print_cells(columns, {benchmark.identifier, benchmark.region, benchmark.metric,
                          benchmark.ceiling_name(), data});
  }
}

void info(const Arguments& arguments) {
  const auto found = find_benchmark(arguments.name);
  const auto& benchmark = *found;
  auto json = described(benchmark);
  if (json.at("here").get<bool>()) json["measured"] = measured_of(benchmark);
  if (arguments.json) {
    std::cout << json_line(json) << '\n';
    return;
  }
  const auto line = [](const char* key, const std::string& value) {
    if (!value.empty()) std::printf("  %-12s %s\n", key, printable(value).c_str());
  };
  const auto text = [&](const char* key) {
    if (!json.contains(key)) return std::string();
    const auto& value = json.at(key);
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  std::printf("%s (version %s)%s\n", benchmark.identifier.c_str(), text("version").c_str(),
              benchmark.simulated ? ", simulated" : "");
  line("region", benchmark.region);
  line("in the tree", benchmark.composite ? "under " + benchmark.parent : "in no composite");
  auto metric = benchmark.metric;
  if (json.contains("n_components")) metric += ", " + text("n_components") + " components";
  if (json.contains("alpha")) metric += ", penalty " + text("alpha");
  if (json.contains("alphas"))
    metric += ", the best of " + std::to_string(json.at("alphas").size()) + " penalties";
  if (json.contains("property")) metric += " of " + text("property");
  if (json.contains("splits")) metric += ", " + text("splits");
  if (json.contains("distance"))
    metric += ", distance " + text("distance") + ", compared by " + text("comparison");
  line("metric", metric);
  line("layer", text("layer_selection"));
  line("ceiling", text("ceiling"));
  line("degrees", text("visual_degrees"));
  line("subjects", benchmark.species +
                       (benchmark.modality.empty() ? "" : ", " + benchmark.modality) +
                       (benchmark.access == "private" ? "; private, needs credentials" : ""));
  if (!json.at("published").empty()) {
    std::string values;
    for (const auto& [key, value] : json.at("published").items())
      values += (values.empty() ? "" : ", ") +
                (key == "ceiling" ? "ceiling " + value.dump() : value.dump() + " " + key);
    line("published", values);
  }
  if (json.contains("populations") &&
      (json.at("populations").size() > 1 || text("populations_are") != "pooled")) {
    std::string names;
    for (const auto& name : json.at("populations"))
      names += (names.empty() ? "" : ", ") + name.get<std::string>();
    line("populations", names + "; " + text("populations_are"));
  }
  if (json.contains("measured")) {
    std::string sizes;
    for (const auto& [key, value] : json.at("measured").items()) {
      if (!value.is_number_integer()) continue;
      auto words = key;
      std::replace(words.begin(), words.end(), '_', ' ');
      sizes += (sizes.empty() ? "" : ", ") + value.dump() + " " + words;
    }
    line("data", sizes);
    const auto& measured = json.at("measured");
    if (measured.contains("ceiling"))
      line("", "ceiling of all presentations " + cell(value_of(measured, "ceiling"), "%.4f") +
                   " +- " + cell(value_of(measured, "ceiling_error"), "%.4f"));
  } else {
    line("data",
         benchmark.how_to_import.empty() ? "missing" : "missing; run: " + benchmark.how_to_import);
  }
  for (const auto& file : json.at("files"))
    line("file", file.at("path").is_null() ? file.at("file").get<std::string>() + " (missing)"
                                           : file.at("path").get<std::string>());
  line("cite", benchmark.citation);
  line("licence", benchmark.licence);
  line("not exact", benchmark.inexact);
  line("note", benchmark.note);
  line("manifest", benchmark.path);
}

void trees(const Arguments& arguments) {
  for (const auto& tree : all_trees()) {
    if (arguments.json)
      std::cout << json_line({{"identifier", tree.identifier}, {"description", tree.description}})
                << '\n';
    else
      std::printf("%-22s %s\n", tree.identifier.c_str(), tree.description.c_str());
  }
}

}  // namespace

void add_benchmark(CLI::App& app, Outcome& /*outcome*/) {
  auto arguments = std::make_shared<Arguments>();
  auto* verb = app.add_subcommand("benchmark", "What there is to score on: list, info, trees");
  verb->require_subcommand(1);
  auto* all = verb->add_subcommand("list", "Every benchmark, and whether its data are here");
  all->add_option("--region", arguments->filter.region, "only this region");
  all->add_option("--kind", arguments->filter.kind, "neural or behavior")
      ->check(one_of({"neural", "behavior"}));
  all->add_option("--species", arguments->filter.species, "macaque, human, ...");
  all->add_option("--modality", arguments->filter.modality,
                  "electrophysiology, fMRI, EEG or behavior");
  all->add_option("--access", arguments->filter.access, "public, or private: needs credentials")
      ->check(one_of({"public", "private"}));
  all->add_flag("--here", arguments->filter.here, "only those whose data are on this machine");
  auto* informed =
      verb->add_subcommand("info", "One benchmark: definition, data, ceiling, citation");
  informed->add_option("name", arguments->name, "identifier, a population of one, or a manifest")
      ->type_name("BENCHMARK")
      ->required();
  auto* treed = verb->add_subcommand("trees", "How benchmarks become a composite");
  for (auto* sub : {all, informed, treed})
    sub->add_flag("--json", arguments->json, "print one JSON object a line");
  all->callback([arguments] { list(*arguments); });
  informed->callback([arguments] { info(*arguments); });
  treed->callback([arguments] { trees(*arguments); });
}

}  // namespace cortiscore::cli
