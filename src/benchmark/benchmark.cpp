#include "src/benchmark/benchmark.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/core/class_codes.h"
#include "src/core/folders.h"
#include "src/data/arrays.h"
#include "src/data/netcdf.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

Benchmark parse(const std::string& path) {
  const auto text = read_file(path);
  Benchmark b;
  b.path = path;
  b.sha256 = sha256_of(text);
  std::string field = "schema_version";
  try {
    const auto json = Json::parse(text);
    if (const auto found = json.at("schema_version").get<int64_t>(); found != 1) {
      throw bad_input(
          {path, field, std::to_string(found), "1", "This Cortiscore reads version 1 manifests"});
    }
    const auto get = [&](const Json& object, const char* key, auto fallback) {
      field = key;
      return object.value(key, fallback);
    };
    field = "identifier";
    b.identifier = json.at("identifier");
    b.version = get(json, "version", int64_t{1});
    const auto kind = get(json, "kind", std::string("neural"));
    if (kind != "neural" && kind != "behavior") {
      throw bad_input({path, "kind", "\"" + kind + "\"", "neural or behavior", ""});
    }
    b.kind = kind == "neural" ? Benchmark::Kind::kNeural : Benchmark::Kind::kBehavior;
    field = "region";
    b.region = json.at("region");
    b.parent = get(json, "parent", b.region);
    b.composite = get(json, "composite", true);
    b.visual_degrees = get(json, "visual_degrees", 8.0);
    field = "stimulus_set";
    b.stimulus_set = json.at("stimulus_set");
    const auto& metric = json.at(field = "metric");
    b.metric = metric.at("name");
    if (b.kind == Benchmark::Kind::kNeural) {
      for (const auto& entry : json.at(field = "assemblies")) {
        b.assemblies.push_back({entry.at("identifier"), entry.at("file")});
      }
      if (b.assemblies.empty())
        throw bad_input({path, field, "none", "at least one assembly file", ""});
      b.n_components = get(metric, "n_components", int64_t{25});
      const auto& splits = json.at(field = "splits");
      b.splits = {splits.at("kind"), get(splits, "by", std::string()),
                  get(splits, "n_splits", int64_t{10}), get(splits, "train_fraction", 0.9),
                  get(splits, "seed", uint32_t{1})};
      static const std::set<std::string> kKinds = {"shuffle", "stratified_shuffle",
                                                   "leave_one_group_out"};
      if (!kKinds.contains(b.splits.kind)) {
        throw bad_input({path, "splits.kind", "\"" + b.splits.kind + "\"",
                         "shuffle, stratified_shuffle or leave_one_group_out", ""});
      }
      if (json.contains("layer_selection")) b.select_by = json["layer_selection"].at("by");
      const auto& ceiling = json.at(field = "ceiling");
      b.ceiling_splits = get(ceiling, "n_splits", int64_t{10});
      b.ceiling_seed = get(ceiling, "seed", uint32_t{1});
      b.keep_above = get(ceiling, "keep_above", -1.0);
    } else {
      field = "choices";
      b.choices = json.at("choices");
      const auto& readout = json.at(field = "readout");
      b.role_column = get(readout, "role", std::string("role"));
      b.label_column = get(readout, "label", std::string("object_name"));
      b.readout_c = get(readout, "C", 1e-3);
    }
    const std::string expected = b.kind == Benchmark::Kind::kNeural ? "pls" : "error_consistency";
    if (b.metric != expected)
      throw bad_input({path, "metric.name", "\"" + b.metric + "\"", expected, ""});
    b.how_to_import = get(json, "import", std::string());
  } catch (const Json::exception& e) {
    throw bad_input(
        {path, field, e.what(), "a benchmark manifest of schema version 1", "See docs/formats.md"});
  }
  return b;
}

std::string data_file(const Benchmark& benchmark, const std::string& name) {
  const auto path = fs::path(home()) / "data" / name;
  if (fs::is_regular_file(path)) return path.string();
  const auto beside = fs::path(benchmark.path).parent_path() / name;
  if (fs::is_regular_file(beside)) return beside.string();
  throw bad_input(
      {path.string(), "", "no such file", "data of " + benchmark.identifier,
       benchmark.how_to_import.empty() ? "Put it there" : "Run: " + benchmark.how_to_import});
}

// The population "ay2_u003" of "Henaff2021.V1-pls" is the benchmark "Henaff2021.V1.ay2_u003-pls".
std::string sub_identifier(const Benchmark& parent, const std::string& population) {
  const auto dash = parent.identifier.find('-');
  return parent.identifier.substr(0, dash) + "." + population + parent.identifier.substr(dash);
}

Population load_population(const Benchmark& benchmark,
                           const Benchmark::AssemblyFile& entry,
                           const std::string& path,
                           const StimulusSet& all_stimuli,
                           std::vector<std::string>& stimulus_ids) {
  const auto assembly = read_assembly(path);
  const auto trials = to_trials(assembly);
  const std::set<std::string> there(trials.stimulus_ids.begin(), trials.stimulus_ids.end());
  std::vector<std::string> ordered;
  for (const auto& id : all_stimuli.ids()) {
    if (there.contains(id)) ordered.push_back(id);
  }
  if (ordered.size() != there.size())
    all_stimuli.select(trials.stimulus_ids);  // names the one that is missing
  if (stimulus_ids.empty()) stimulus_ids = ordered;
  if (stimulus_ids != ordered) {
    throw bad_input({path, "stimulus_id", std::to_string(ordered.size()) + " stimuli",
                     "the same " + std::to_string(stimulus_ids.size()) +
                         " as the other populations of " + benchmark.identifier,
                     "Populations with other stimuli are another benchmark"});
  }
  std::map<std::string, int64_t> row;
  for (size_t i = 0; i < trials.stimulus_ids.size(); ++i)
    row[trials.stimulus_ids[i]] = static_cast<int64_t>(i);
  std::vector<int64_t> order;
  for (const auto& id : ordered) order.push_back(row[id]);
  Population population;
  population.identifier = entry.identifier;
  population.neuroid_ids = trials.neuroid_ids;
  population.trials = trials.values.index_select(1, at::tensor(order, at::kLong));
  return population;
}

}  // namespace

std::vector<Benchmark> all_benchmarks() {
  std::vector<Benchmark> all;
  for (const auto& folder : {fs::path(CORTISCORE_MANIFESTS), fs::path(home()) / "benchmarks"}) {
    if (!fs::is_directory(folder)) continue;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) all.push_back(parse(file.string()));
  }
  return all;
}

Benchmark find_benchmark(const std::string& name) {
  if (name.ends_with(".json")) return parse(name);
  std::vector<std::string> known;
  for (const auto& benchmark : all_benchmarks()) {
    if (benchmark.identifier == name) return benchmark;
    known.push_back(benchmark.identifier);
    if (benchmark.assemblies.size() < 2) continue;
    for (const auto& assembly : benchmark.assemblies) {
      const auto identifier = sub_identifier(benchmark, assembly.identifier);
      known.push_back(identifier);
      if (identifier != name) continue;
      auto sub = benchmark;
      sub.identifier = identifier;
      sub.assemblies = {assembly};
      sub.composite = false;  // its parent takes part already
      sub.sha256 = sha256_of(benchmark.sha256 + assembly.identifier);
      return sub;
    }
  }
  throw unknown_name("benchmark", name,
                     "the manifests of this project and of " + home() + "/benchmarks", known);
}

NeuralData load_neural(const Benchmark& benchmark) {
  const auto stimuli_path = data_file(benchmark, benchmark.stimulus_set);
  NeuralData data;
  const auto all_stimuli = StimulusSet::open(stimuli_path);
  std::vector<std::string> stimulus_ids;
  for (const auto& entry : benchmark.assemblies) {
    const auto path = data_file(benchmark, entry.file);
    data.populations.push_back(load_population(benchmark, entry, path, all_stimuli, stimulus_ids));
    data.data_sha256.push_back(sha256_of_file(path));
  }
  data.stimuli = all_stimuli.select(stimulus_ids);
  data.data_sha256.push_back(data.stimuli.sha256());
  return data;
}

BehavioralData load_behavior(const Benchmark& benchmark) {
  const auto choices_path = data_file(benchmark, benchmark.choices);
  const auto all = StimulusSet::open(data_file(benchmark, benchmark.stimulus_set));
  const auto roles = all.column(benchmark.role_column);
  std::vector<std::string> fit, test;
  for (int64_t i = 0; i < all.size(); ++i) {
    const auto& role = roles[static_cast<size_t>(i)];
    if (role != "fit" && role != "test") {
      throw bad_input({all.path(), benchmark.role_column, "\"" + role + "\"", "fit or test", ""});
    }
    (role == "fit" ? fit : test).push_back(all.ids()[static_cast<size_t>(i)]);
  }
  BehavioralData data;
  data.n_fit = static_cast<int64_t>(fit.size());
  auto ordered = fit;
  ordered.insert(ordered.end(), test.begin(), test.end());
  data.stimuli = all.select(ordered);
  const auto labels = data.stimuli.column(benchmark.label_column);
  data.labels = class_codes(labels);
  const std::set<std::string> distinct(labels.begin(), labels.end());
  data.class_names.assign(distinct.begin(), distinct.end());

  const auto table = read_csv(choices_path);
  const auto subject = table.column("subject"), stimulus = table.column("stimulus_id");
  const auto choice = table.column("choice"), truth = table.column("truth");
  const std::set<std::string> subjects(subject.begin(), subject.end());
  data.subjects.assign(subjects.begin(), subjects.end());
  std::map<std::string, int64_t> subject_row, stimulus_column;
  for (size_t i = 0; i < data.subjects.size(); ++i)
    subject_row[data.subjects[i]] = static_cast<int64_t>(i);
  for (size_t i = 0; i < test.size(); ++i) stimulus_column[test[i]] = static_cast<int64_t>(i);
  data.correct = at::zeros(
      {static_cast<int64_t>(data.subjects.size()), static_cast<int64_t>(test.size())}, at::kBool);
  auto seen = at::zeros_like(data.correct);
  int64_t n_seen = 0;
  auto correct = data.correct.accessor<bool, 2>();
  auto answered = seen.accessor<bool, 2>();
  for (size_t i = 0; i < subject.size(); ++i) {
    const auto found = stimulus_column.find(stimulus[i]);
    if (found == stimulus_column.end()) {
      throw bad_input({choices_path, "data row " + std::to_string(i + 1),
                       "stimulus \"" + stimulus[i] + "\"", "a stimulus whose role is test", ""});
    }
    const auto s = subject_row[subject[i]];
    if (answered[s][found->second]) {
      throw bad_input({choices_path, "data row " + std::to_string(i + 1),
                       "subject \"" + subject[i] + "\" on \"" + stimulus[i] + "\" twice",
                       "one choice", ""});
    }
    answered[s][found->second] = true;
    ++n_seen;
    correct[s][found->second] = choice[i] == truth[i];
  }
  if (n_seen != seen.numel()) {
    throw bad_input({choices_path, "rows", std::to_string(subject.size()),
                     "every subject on every test stimulus",
                     "Drop stimuli that some subjects did not see"});
  }
  data.data_sha256 = {sha256_of_file(choices_path), data.stimuli.sha256()};
  return data;
}

Splits make_splits(const SplitRule& rule,
                   const StimulusSet& stimuli,
                   const std::vector<int64_t>& rows) {
  const auto n = static_cast<int64_t>(rows.size());
  if (rule.kind == "shuffle")
    return shuffle_splits(n, rule.n_splits, rule.train_fraction, rule.seed);
  const auto column = stimuli.column(rule.by);
  std::vector<std::string> groups;
  for (const auto row : rows) groups.push_back(column[static_cast<size_t>(row)]);
  if (rule.kind == "leave_one_group_out") return leave_one_group_out(groups);
  return stratified_shuffle_splits(class_codes(groups), rule.n_splits, rule.train_fraction,
                                   rule.seed);
}

}  // namespace cortiscore
