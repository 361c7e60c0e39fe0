#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include <ATen/ATen.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/benchmark/data_file.h"
#include "src/benchmark/tree.h"
#include "src/cli/commands.h"
#include "src/cli/record_table.h"
#include "src/core/printable.h"
#include "src/core/progress.h"
#include "src/engine/outcome.h"
#include "src/engine/workbench.h"
#include "src/metric/choice_patterns.h"
#include "src/results/store.h"
#include "src/score/choices.h"
#include "src/score/thresholds.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::string name, region, kind, species, modality, access;
  bool here = false, json = false;
};

std::vector<std::string> files_of(const Benchmark& benchmark) {
  std::vector<std::string> files = {benchmark.stimulus_set};
  for (const auto& assembly : benchmark.assemblies) {
    files.push_back(assembly.file);
    if (!assembly.train_file.empty()) files.push_back(assembly.train_file);
  }
  for (const auto& [role, file] : benchmark.property_stimuli) {
    if (file != benchmark.stimulus_set) files.push_back(file);
  }
  for (const auto& file :
       {benchmark.train_stimulus_set, benchmark.fit_stimulus_set, benchmark.rdms, benchmark.choices,
        benchmark.baseline_stimulus_set, benchmark.baseline_choices}) {
    if (!file.empty()) files.push_back(file);
  }
  files.insert(files.end(), benchmark.fit_stimulus_sets.begin(), benchmark.fit_stimulus_sets.end());
  files.insert(files.end(), benchmark.classes.begin(), benchmark.classes.end());
  return files;
}

// Where a file lies, or nothing.
std::string place_of(const Benchmark& benchmark, const std::string& file) {
  try {
    return data_file(benchmark, file);
  } catch (const Error&) {
    return {};
  }
}

bool is_here(const Benchmark& benchmark) {
  for (const auto& file : files_of(benchmark)) {
    if (place_of(benchmark, file).empty()) return false;
  }
  return true;
}

bool is_neural(const Benchmark& benchmark) {
  using Kind = Benchmark::Kind;
  return benchmark.kind == Kind::kMapping || benchmark.kind == Kind::kRdm ||
         benchmark.kind == Kind::kProperty || benchmark.kind == Kind::kSolutionTimes ||
         benchmark.kind == Kind::kFactors;
}

std::string ceiling_name(const Benchmark& benchmark) {
  if (!benchmark.ceiled) return "none";
  switch (benchmark.kind) {
    case Benchmark::Kind::kMapping:
      if (!benchmark.ceiling_coordinate.empty()) return "stored " + benchmark.ceiling_coordinate;
      return benchmark.predictor_ceiling ? "split_half_predictor" : "internal_consistency";
    case Benchmark::Kind::kRdm:
      if (benchmark.rdm_bound == Benchmark::RdmBound::kPairs) return "subject pairs";
      return benchmark.rdm_bound == Benchmark::RdmBound::kLower ? "rsa, lower bound" : "rsa";
    case Benchmark::Kind::kProperty:
      return "likeness to itself";
    case Benchmark::Kind::kSolutionTimes:
    case Benchmark::Kind::kFactors:
      return "published";
    case Benchmark::Kind::kThreshold:
      return "each subject with the others";
    default:
      if (!std::isnan(benchmark.fixed_ceiling)) return "published";
      if (benchmark.metric == "accuracy_delta") return "subject halves";
      if (benchmark.metric == "condition_accuracy") return "each subject with the others";
      return is_pattern_name(benchmark.metric) ? "trial halves" : "subject pairs";
  }
}

std::string splits_text(const SplitRule& rule) {
  if (rule.kind == "train_test") return "one stimulus set trains, another tests";
  if (rule.kind == "column") return "as the column " + rule.by + " says";
  if (rule.kind == "leave_one_group_out") return "leave one " + rule.by + " out";
  char text[96];
  std::snprintf(text, sizeof text, "%lld of %.0f %% train, seed %u",
                static_cast<long long>(rule.n_splits), 100 * rule.train_fraction, rule.seed);
  std::string all = text;
  if (rule.kind == "stratified_shuffle") all += ", stratified by " + rule.by;
  if (!rule.disjoint.empty()) all += ", no " + rule.disjoint + " in both";
  return all;
}

Json described(const Benchmark& benchmark) {
  Json files = Json::array();
  for (const auto& file : files_of(benchmark)) {
    const auto place = place_of(benchmark, file);
    files.push_back({{"file", file}, {"path", place.empty() ? Json(nullptr) : Json(place)}});
  }
  Json json = {{"identifier", benchmark.identifier},
               {"version", benchmark.version},
               {"kind", is_neural(benchmark) ? "neural" : "behavior"},
               {"region", benchmark.region},
               {"parent", benchmark.parent},
               {"composite", benchmark.composite},
               {"simulated", benchmark.simulated},
               {"metric", benchmark.metric},
               {"ceiling", ceiling_name(benchmark)},
               {"visual_degrees", benchmark.visual_degrees > 0 ? Json(benchmark.visual_degrees)
                                                               : Json("as the network's")},
               {"here", is_here(benchmark)},
               {"files", files},
               {"import", benchmark.how_to_import},
               {"citation", benchmark.citation},
               {"licence", benchmark.licence},
               {"note", benchmark.note},
               {"inexact", benchmark.inexact},
               {"species", benchmark.species},
               {"modality", benchmark.modality},
               {"access", benchmark.access},
               {"manifest", benchmark.path}};
  Json published = Json::object();
  if (!std::isnan(benchmark.published_ceiling)) published["ceiling"] = benchmark.published_ceiling;
  if (benchmark.published_stimuli) published["stimuli"] = benchmark.published_stimuli;
  if (benchmark.published_neuroids) published["neuroids"] = benchmark.published_neuroids;
  if (benchmark.published_trials) published["trials"] = benchmark.published_trials;
  json["published"] = published;
  if (benchmark.kind == Benchmark::Kind::kMapping) {
    json["splits"] = splits_text(benchmark.splits);
    json.update(mapping_params(benchmark));
    Json populations = Json::array();
    for (const auto& assembly : benchmark.assemblies)
      populations.push_back(assembly.each.empty() ? assembly.identifier : "each " + assembly.each);
    json["populations"] = populations;
    json["populations_are"] =
        benchmark.mean_of_populations ? "scored apart and averaged" : "pooled";
  }
  if (benchmark.kind == Benchmark::Kind::kRdm) {
    json["distance"] = name_of(benchmark.distance);
    json["comparison"] = name_of(benchmark.comparison);
  }
  if (benchmark.kind == Benchmark::Kind::kProperty) json["property"] = benchmark.property;
  if (is_neural(benchmark))
    json["layer_selection"] = benchmark.select_by.empty()
                                  ? "none: commit to a layer"
                                  : "alternating halves by " + benchmark.select_by;
  return json;
}

Evaluation choice_ceiling(const Benchmark& benchmark, const BehavioralData& data) {
  if (!std::isnan(benchmark.fixed_ceiling)) return constant_evaluation(benchmark.fixed_ceiling);
  if (is_cell_metric(benchmark.metric)) return *evaluate_cell_ceiling(data.cell_metric, data.cells);
  if (is_pattern_name(benchmark.metric)) {
    return evaluate_pattern(pattern_name(benchmark.metric), {}, data.trials,
                            at::tensor(data.truth, at::kLong),
                            static_cast<int64_t>(data.objects.size()), true);
  }
  return evaluate_choice_ceiling(choice_metric(benchmark.metric), data.choices);
}

// What only the data can say: sizes, and the ceiling of all presentations.
void add_measured(const Benchmark& benchmark, Json& json) {
  Workbench workbench({}, /*many_networks=*/false);
  Json measured = {{"stimuli", workbench.stimuli(benchmark).size()}};
  const auto add_ceiling = [&](const Estimate& ceiling) {
    measured["ceiling"] = number(ceiling.value);
    measured["ceiling_error"] = number(ceiling.error);
  };
  if (benchmark.kind == Benchmark::Kind::kMapping) {
    auto& neural = workbench.neural(benchmark);
    int64_t kept = 0, dropped = 0, trials = 0;
    for (const auto& population : neural.data().populations) {
      kept += population.n_neuroids();
      dropped += population.n_dropped;
      trials = std::max(trials, population.trials.size(0));
    }
    measured.update({{"neuroids", kept}, {"neuroids_dropped", dropped}, {"repetitions", trials}});
    if (benchmark.ceiled) add_ceiling(neural.whole().ceiling);
  } else if (benchmark.kind == Benchmark::Kind::kRdm) {
    auto& rdm = workbench.rdm(benchmark);
    measured["subjects"] = rdm.data().subjects.size();
    if (benchmark.ceiled) add_ceiling(rdm.whole().ceiling);
  } else if (benchmark.kind == Benchmark::Kind::kSolutionTimes) {
    measured["presentations"] = workbench.solution_times(benchmark).n_presentations;
    add_ceiling(constant_evaluation(benchmark.fixed_ceiling).estimate);
  } else if (benchmark.kind == Benchmark::Kind::kProperty) {
    const auto& data = workbench.properties(benchmark);
    measured["neuroids"] = data.recorded.size(0);
    add_ceiling(property_ceiling(data.recorded, data.bins, workbench.options().bootstrap));
  } else if (benchmark.kind == Benchmark::Kind::kFactors) {
    measured["pairs"] = workbench.factors(benchmark).pairs.first.size(0);
    add_ceiling(constant_evaluation(benchmark.fixed_ceiling).estimate);
  } else if (benchmark.kind == Benchmark::Kind::kThreshold) {
    const auto& data = workbench.thresholds(benchmark);
    measured.update({{"subjects", data.subjects.size()},
                     {"stimuli_fit", data.fits.front().n_stimuli},
                     {"thresholds", numbers(data.thresholds)}});
    add_ceiling(threshold_ceiling(data.thresholds));
  } else if (benchmark.kind == Benchmark::Kind::kDomains) {
    const auto& stimuli = workbench.stimuli(benchmark);
    measured["categories"] = distinct(stimuli.column(benchmark.splits.by));
    measured["domains"] = distinct(stimuli.column(benchmark.domain));
  } else {
    const auto& behavior = workbench.behavior(benchmark);
    measured["subjects"] = behavior.subjects.size();
    if (behavior.n_fit) measured["stimuli_fit"] = behavior.n_fit;
    if (is_pattern_name(benchmark.metric)) measured["trials"] = behavior.trials.stimulus.size(0);
    if (behavior.triplets.defined()) measured["triplets"] = behavior.triplets.size(0);
    measured["categories"] = behavior.class_names;
    if (benchmark.ceiled) {
      add_ceiling(choice_ceiling(benchmark, behavior).estimate);
    }
  }
  json["measured"] = measured;
}

void list(const Arguments& arguments) {
  std::vector<std::pair<Benchmark, Json>> rows;
  int width = 9;
  for (const auto& benchmark : all_benchmarks()) {
    auto json = described(benchmark);
    if (!arguments.region.empty() && benchmark.region != arguments.region) continue;
    if (!arguments.kind.empty() && json.at("kind") != arguments.kind) continue;
    if (!arguments.species.empty() && benchmark.species != arguments.species) continue;
    if (!arguments.modality.empty() && benchmark.modality != arguments.modality) continue;
    if (!arguments.access.empty() && benchmark.access != arguments.access) continue;
    if (arguments.here && !json.at("here").get<bool>()) continue;
    width = std::max(width, static_cast<int>(benchmark.identifier.size()));
    rows.emplace_back(benchmark, std::move(json));
  }
  if (!arguments.json && !rows.empty())
    std::printf("%-*s %-9s %-20s %-28s %s\n", width, "benchmark", "region", "metric", "ceiling",
                "data");
  for (const auto& [benchmark, json] : rows) {
    if (arguments.json) {
      std::cout << canonical(json) << '\n';
      continue;
    }
    const auto data = json.at("here").get<bool>()       ? "here"
                      : benchmark.how_to_import.empty() ? "missing"
                                                        : "run: " + benchmark.how_to_import;
    std::printf("%-*s %-9s %-20s %-28s %s\n", width, benchmark.identifier.c_str(),
                benchmark.region.c_str(), benchmark.metric.c_str(), ceiling_name(benchmark).c_str(),
                data.c_str());
  }
}

void info(const Arguments& arguments) {
  const auto benchmark = find_benchmark(arguments.name);
  auto json = described(benchmark);
  if (json.at("here").get<bool>()) add_measured(benchmark, json);
  if (arguments.json) {
    std::cout << canonical(json) << '\n';
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
      (json.at("populations").size() > 1 || benchmark.mean_of_populations)) {
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
      std::cout << canonical({{"identifier", tree.identifier}, {"description", tree.description}})
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
  auto* listed = verb->add_subcommand("list", "Every benchmark, and whether its data are here");
  listed->add_option("--region", arguments->region, "only this region");
  listed->add_option("--kind", arguments->kind, "neural or behavior")
      ->check(CLI::IsMember({"neural", "behavior"}));
  listed->add_option("--species", arguments->species, "macaque, human, ...");
  listed->add_option("--modality", arguments->modality, "electrophysiology, fMRI, EEG or behavior");
  listed->add_option("--access", arguments->access, "public, or private: needs credentials")
      ->check(CLI::IsMember({"public", "private"}));
  listed->add_flag("--here", arguments->here, "only those whose data are on this machine");
  auto* informed =
      verb->add_subcommand("info", "One benchmark: definition, data, ceiling, citation");
  informed->add_option("name", arguments->name, "identifier, a population of one, or a manifest")
      ->required();
  auto* treed = verb->add_subcommand("trees", "How benchmarks become a composite");
  for (auto* sub : {listed, informed, treed})
    sub->add_flag("--json", arguments->json, "print one JSON object a line");
  listed->callback([arguments] { list(*arguments); });
  informed->callback([arguments] { info(*arguments); });
  treed->callback([arguments] { trees(*arguments); });
}

}  // namespace cortiscore::cli
