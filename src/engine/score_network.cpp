#include "src/engine/score_network.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <limits>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/activations/extract.h"
#include "src/core/device.h"
#include "src/core/notes.h"
#include "src/core/process_memory.h"
#include "src/core/progress.h"
#include "src/core/stop.h"
#include "src/data/arrays.h"
#include "src/data/labelled.h"
#include "src/engine/layer_profile.h"
#include "src/engine/outcome.h"
#include "src/score/diagnostics.h"

namespace cortiscore {
namespace {

std::string utc_now() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// A layer named for every region means those that a map or a readout looks at: a classifier's decisions are its output's,
// unless its region itself is named.
std::string committed_layer(const ScoreOptions& options, const Benchmark& benchmark) {
  std::vector<std::string> keys = {benchmark.region};
  if (benchmark.kind != Benchmark::Kind::kDecisions) keys.emplace_back();
  for (const auto& key : keys) {
    if (const auto found = options.layers.find(key); found != options.layers.end())
      return found->second;
  }
  return {};
}

Json preprocessing_json(const Candidate& candidate, const Benchmark& benchmark) {
  if (!candidate.network) return nullptr;
  const auto& input = candidate.network->input();
  return {{"resize", "pillow_bilinear"},
          {"size", input.size},
          {"placement",
           {{"stimulus_degrees",
             benchmark.visual_degrees > 0 ? benchmark.visual_degrees : input.degrees},
            {"model_degrees", input.degrees}}},
          {"scale", "float32/255"},
          {"mean", input.mean},
          {"std", input.std}};
}

}  // namespace

Candidate candidate_of(Network network) {
  Candidate candidate;
  candidate.path = network.path();
  candidate.identifier = network.identifier();
  candidate.fingerprint = network.fingerprint();
  candidate.network = std::move(network);
  candidate.plan = std::make_shared<ActivationPlan>();
  return candidate;
}

namespace {

Candidate open_activations(const std::string& path,
                           const at::Device& device,
                           const std::string& variable) {
  if (!variable.empty() && holds_one_array(path)) {
    throw Error(ErrorKind::kUsage, "--variable: found " + variable + ", but " + path +
                                       " holds one array alone. Leave the flag away, or name "
                                       "arrays of .nc, .h5, .hdf5 or .npz files.");
  }
  Candidate candidate;
  candidate.path = path;
  auto features =
      read_labelled(path, {"presentation", "neuroid"}, "2: stimuli x features", variable);
  check_finite(features.values, path, "feature", "Recompute the activations");
  candidate.identifier = std::filesystem::path(path).stem().string();
  candidate.sha256 = sha256_of_file(path);
  std::string what = "features " + candidate.sha256;
  if (!features.stimulus_ids.empty()) what += " by stimulus_id";
  if (!variable.empty()) what += " " + variable;
  candidate.fingerprint = sha256_of(what);
  candidate.features = features.values.to(device);
  candidate.stimulus_ids = std::move(features.stimulus_ids);
  if (candidate.stimulus_ids.empty())
    note(path, "no stimulus_id; rows are matched by place to those of the stimulus set");
  return candidate;
}

}  // namespace

Candidate open_candidate(const std::string& path,
                         const at::Device& device,
                         const LoadOptions& options,
                         const std::string& variable) {
  const Timer opening;
  Candidate candidate;
  candidate.path = path;
  if (is_array_file(path)) {
    candidate = open_activations(path, device, variable);
    candidate.open_s = opening.seconds();
    return candidate;
  }
  if (!path.ends_with(".pt2") && !path.ends_with(".pt")) {
    throw bad_input(
        {path, "extension", "\"" + std::filesystem::path(path).extension().string() + "\"",
         ".pt2 (a network), .pt (TorchScript), or .npy, .npz, .nc, .h5, .csv, .tsv, .txt "
         "(activations)",
         "Write a network with `cortiscore model export`"});
  }
  candidate = candidate_of(Network::load(path, device, options));
  candidate.open_s = opening.seconds();
  return candidate;
}

at::Tensor features_for(const Candidate& candidate,
                        const std::vector<std::string>& ids,
                        const std::string& expected,
                        const std::string& action) {
  const auto n = static_cast<int64_t>(ids.size());
  const auto& there = candidate.stimulus_ids;
  if (there.empty()) {
    if (candidate.features.size(0) == n) return candidate.features;
    throw bad_input({candidate.path, "rows", std::to_string(candidate.features.size(0)),
                     std::to_string(n) + ", " + expected, action});
  }
  if (there == ids) return candidate.features;  // a stimulus that several sets show, too
  const std::set<std::string> shown(ids.begin(), ids.end());
  std::vector<std::string> kept;
  std::vector<int64_t> rows;
  for (size_t i = 0; i < there.size(); ++i) {
    if (!shown.contains(there[i])) continue;
    kept.push_back(there[i]);
    rows.push_back(static_cast<int64_t>(i));
  }
  const auto left_out = there.size() - kept.size();
  const auto places =
      places_of(ids, "the stimuli shown", kept, candidate.path, "stimulus_id", action);
  if (left_out) {
    note(candidate.path, std::to_string(left_out) + " of " + std::to_string(there.size()) +
                             " rows are of other stimuli and are left out");
  }
  std::vector<int64_t> order;
  for (const auto place : places) order.push_back(rows[static_cast<size_t>(place)]);
  return candidate.features.index_select(
      0, at::tensor(order, at::kLong).to(candidate.features.device()));
}

std::vector<std::string> candidate_layers(const Network& network,
                                          int64_t count,
                                          int64_t min_features) {
  // Modules that share a value (a block and its last activation) count once, under the outer, shorter name; the table
  // is in order of execution.
  std::vector<std::string> distinct;
  std::map<std::string, size_t> place;
  for (const auto& layer : network.layers()) {
    if (!layer.unusable.empty() || layer.shape.empty() || layer.n_features() < min_features ||
        layer.name.find_first_of("@#") != std::string::npos)
      continue;
    const auto [it, fresh] = place.try_emplace(layer.value, distinct.size());
    if (fresh)
      distinct.push_back(layer.name);
    else if (layer.name.size() < distinct[it->second].size())
      distinct[it->second] = layer.name;
  }
  const auto n = static_cast<int64_t>(distinct.size());
  if (n <= count) return distinct;
  std::vector<std::string> spaced;
  for (int64_t i = 0; i < count; ++i) {
    spaced.push_back(distinct[static_cast<size_t>((2 * i + 1) * n / (2 * count))]);
  }
  return spaced;
}

std::string left_out_layers(const Network& network) {
  constexpr int64_t kMostNamed = 20;
  int64_t count = 0;
  std::string named;
  std::set<std::string> values;
  for (const auto& layer : network.layers()) {
    if (layer.unusable.empty() || layer.name.find_first_of("@#") != std::string::npos ||
        !values.insert(layer.value).second)
      continue;
    if (++count <= kMostNamed)
      named += (count > 1 ? "; " : "") + layer.name + " (" + layer.unusable + ")";
  }
  if (count == 0) return {};
  if (count > kMostNamed) named += "; and " + std::to_string(count - kMostNamed) + " more";
  return std::to_string(count) + (count == 1 ? " layer was" : " layers were") +
         " not tried, without features of every stimulus: " + named;
}

std::string in_window_of(const Benchmark& benchmark,
                         const Network& network,
                         const std::string& layer) {
  const auto found = network.layer(layer);
  using Bins = Benchmark::AssemblyFile::Bins;
  auto window = benchmark.window_ms;
  for (const auto& assembly : benchmark.assemblies) {
    if (window && assembly.time_ms && *window != *assembly.time_ms) {
      throw bad_input({benchmark.path, "time_ms", "different windows in its assemblies",
                       "one, for a layer whose calls stand for time bins",
                       "Name a single call (--layer " + layer + "@0)"});
    }
    if (assembly.bins == Bins::kPopulations && !found.time_bins.empty() &&
        without_window(layer) == layer) {
      throw Error(
          ErrorKind::kUsage,
          benchmark.identifier + ": " + layer +
              " responds differently in time, found one mapping over time bins, which takes "
              "one response for all of them. Name a call (--layer " +
              layer + "@0) or a window.");
    }
    // Bins that are neuroids or populations are all predicted from one response.
    if (assembly.time_ms && assembly.bins == Bins::kAveraged) window = assembly.time_ms;
  }
  if (!window || found.time_bins.empty() || without_window(layer) != layer) return layer;
  auto windowed = layer_in_window(layer, {window->first, window->second});
  network.layer(windowed);
  return windowed;
}

namespace {

// A layer whose calls stand for time bins, in each of the benchmark's.
std::vector<std::string> in_every_bin(const Benchmark& benchmark,
                                      const Network& network,
                                      const std::string& layer) {
  std::vector<std::string> windows;
  for (const auto& [start, end] : benchmark.bins_ms) {
    windows.push_back(layer_in_window(layer, {start, end}));
    network.layer(windows.back());
  }
  return windows;
}

}  // namespace

std::vector<std::string> layers_for(const Candidate& candidate,
                                    const Benchmark& benchmark,
                                    const ScoreOptions& options) {
  if (!candidate.network) return {"features"};
  if (const auto committed = committed_layer(options, benchmark); !committed.empty()) {
    if (benchmark.kind == Benchmark::Kind::kSolutionTimes)
      return in_every_bin(benchmark, *candidate.network, committed);
    return {in_window_of(benchmark, *candidate.network, committed)};
  }
  using Kind = Benchmark::Kind;
  if (benchmark.kind == Kind::kProperty || benchmark.kind == Kind::kStimuli ||
      benchmark.kind == Kind::kSolutionTimes || benchmark.kind == Kind::kFactors ||
      benchmark.kind == Kind::kDomains) {
    throw Error(ErrorKind::kUsage, benchmark.identifier +
                                       " has no layer selection: commit to one with --layer " +
                                       benchmark.region + "=LAYER, or --layer-map.");
  }
  if (benchmark.kind != Kind::kMapping && benchmark.kind != Kind::kRdm) {
    auto all = candidate_layers(*candidate.network, std::numeric_limits<int64_t>::max() / 4, 1);
    // Others than a classifier's decisions take what feeds its output: the last layer but one.
    if (benchmark.kind != Kind::kDecisions && all.size() > 1) all.pop_back();
    if (!all.empty()) return {all.back()};
  }
  const int64_t min_features = benchmark.min_features();
  auto layers = candidate_layers(*candidate.network, options.n_candidates, min_features);
  if (layers.empty()) {
    throw bad_input({candidate.path, "layers",
                     "none with " + std::to_string(min_features) + " features or more",
                     benchmark.metric == "pls" ? "a layer with at least one feature a PLS component"
                                               : "a layer to score",
                     "Export the network with its layer table"});
  }
  for (auto& layer : layers) layer = in_window_of(benchmark, *candidate.network, layer);
  return layers;
}

Json committed_json(const Benchmark& benchmark,
                    const ScoreOptions& options,
                    const std::vector<std::string>& layers) {
  Json json = {{"method", "committed"}, {"candidates", layers}};
  const auto found = options.chosen_on.find(benchmark.region);
  if (found == options.chosen_on.end()) return json;
  for (const auto& chosen : found->second) {
    if (chosen.layer == without_window(layers.front()))
      json["chosen_on"].push_back(chosen.benchmark);
  }
  return json;
}

size_t best_of(const std::vector<double>& values) {
  const auto rank = [](double v) { return std::isnan(v) ? -2 : v; };
  const auto best = std::max_element(values.begin(), values.end(),
                                     [&](double a, double b) { return rank(a) < rank(b); });
  return static_cast<size_t>(best - values.begin());
}

Json timing_json(const ExtractionTimes& times) {
  return {{"forward", 1e3 * times.forward_s},        {"decode", 1e3 * times.pass.decode},
          {"normalise", 1e3 * times.pass.normalise}, {"network", 1e3 * times.pass.network},
          {"keep", 1e3 * times.pass.keep},           {"reduce", 1e3 * times.reduce_s},
          {"forward_passes", times.passes}};
}

Json peak_bytes_json(const ExtractionTimes& times) {
  return {{"planned", times.planned_bytes},
          {"process", times.process_bytes},
          {"stimuli", times.stimulus_bytes},
          {"spilled", times.spilled_bytes},
          {"resident", resident_bytes().most}};
}

Json estimate_json(const Estimate& estimate, const char* key) {
  return {{key, number(estimate.value)},
          {"error", number(estimate.error)},
          {"ci_lo", number(estimate.ci_lo)},
          {"ci_hi", number(estimate.ci_hi)}};
}

std::string record_key(const std::string& fingerprint,
                       const Benchmark& benchmark,
                       Workbench& workbench) {
  const auto& options = workbench.options();
  std::string text = fingerprint + "\n" + benchmark.sha256;
  for (const auto& sha256 : workbench.data_sha256(benchmark)) text += " " + sha256;
  text += "\n" + name_of(options.convention) + " " + std::to_string(options.n_candidates) +
          (options.mode == TopVectorMode::kSklearn ? " sklearn" : " exact");
  text += "\n" + Json(options.bootstrap.level).dump() + " " +
          std::to_string(options.bootstrap.n_boot) + " " + std::to_string(options.bootstrap.seed);
  // Of the benchmark alone: what is committed to for other regions changes nothing of this record.
  text += "\nlayer " + committed_layer(options, benchmark);
  // Devices agree within rounding, not to the bit.
  if (!options.device.is_cpu()) text += "\n" + name_of(options.device);
  // How files are read is a part of what scores depend on: 2 decodes packed NetCDF, leaves index columns of tables out and
  // knows windows and tokens of layers. Raise it where the same file comes to mean other numbers.
  return sha256_of(text + "\nreading 2 " CORTISCORE_VERSION " " CORTISCORE_TORCH);
}

std::optional<Failure> attempt(const std::function<void()>& body) {
  try {
    body();
    return std::nullopt;
  } catch (const StoreError&) {
    throw;
  } catch (const Stopped&) {
    throw;
  } catch (...) {
    return current_failure();
  }
}

void plan_scores(const Candidate& candidate,
                 const std::vector<Benchmark>& benchmarks,
                 Workbench& workbench,
                 Store* store,
                 bool again) {
  for (const auto& benchmark : benchmarks) {
    static_cast<void>(attempt([&] {
      check_commitment(benchmark, workbench);
      const auto key = record_key(candidate.fingerprint, benchmark, workbench);
      if (store && !again && store->find(key, candidate.identifier)) return;
      if (const auto request = request_of(candidate, benchmark, workbench))
        announce(candidate, *request, workbench);
    }));
  }
}

PairResult score_pair(const Candidate& candidate,
                      const Benchmark& benchmark,
                      Workbench& workbench,
                      Store* store,
                      bool again,
                      const Json& tags) {
  check_commitment(benchmark, workbench);
  if (store && !again) {
    const auto key = record_key(candidate.fingerprint, benchmark, workbench);
    if (auto found = store->find(key, candidate.identifier)) {
      if (found->at("model_identifier") == candidate.identifier) return {std::move(*found), true};
      (*found)["model_identifier"] = candidate.identifier;
      found->erase("tags");
      if (!tags.empty()) (*found)["tags"] = tags;
      store->append(*found);
      return {std::move(*found), false};
    }
  }
  auto record = score_network(candidate, benchmark, workbench);
  if (!tags.empty()) record["tags"] = tags;
  if (store) store->append(record);
  return {std::move(record), false};
}

Json failure_record(const std::string& identifier,
                    const std::string& path,
                    const Benchmark& benchmark,
                    const Failure& failure) {
  return {{"schema_version", 1},
          {"key", sha256_of("failed " + path + " " + benchmark.sha256)},
          {"status", "failed"},
          {"model_identifier", identifier},
          {"path", path},
          {"benchmark_identifier", benchmark.identifier},
          {"benchmark_version", benchmark.version},
          {"benchmark_sha256", benchmark.sha256},
          {"region", benchmark.region},
          {"parent", benchmark.parent},
          {"error_type", failure.exit_code},
          {"message", failure.message},
          {"engine", {{"version", CORTISCORE_VERSION}, {"torch", CORTISCORE_TORCH}}},
          {"end", utc_now()}};
}

namespace {

Outcome score_by_kind(const Candidate& candidate,
                      const Benchmark& benchmark,
                      Workbench& workbench) {
  switch (benchmark.kind) {
    case Benchmark::Kind::kMapping:
      return score_neural(candidate, benchmark, workbench);
    case Benchmark::Kind::kRdm:
      return score_rdm(candidate, benchmark, workbench);
    case Benchmark::Kind::kReadout:
      return score_readout(candidate, benchmark, workbench);
    case Benchmark::Kind::kDecisions:
      return score_decisions(candidate, benchmark, workbench);
    case Benchmark::Kind::kSolutionTimes:
      return score_solution_times(candidate, benchmark, workbench);
    case Benchmark::Kind::kProperty:
      return score_property(candidate, benchmark, workbench);
    case Benchmark::Kind::kFactors:
      return score_factors(candidate, benchmark, workbench);
    case Benchmark::Kind::kThreshold:
      return score_thresholds(candidate, benchmark, workbench);
    case Benchmark::Kind::kDomains:
      return score_domains(candidate, benchmark, workbench);
    default:
      return score_odd_one_out(candidate, benchmark, workbench);
  }
}

}  // namespace

Json score_network(const Candidate& candidate, const Benchmark& benchmark, Workbench& workbench) {
  const auto& options = workbench.options();
  const auto start = utc_now();
  const Timer total;
  const Timer load;
  const auto& data_sha256 = workbench.data_sha256(benchmark);
  const double load_s = load.seconds();
  auto outcome = score_by_kind(candidate, benchmark, workbench);
  const auto method = outcome.layer_selection.value("method", "");
  if (candidate.network && method != "committed" && method != "none") {
    if (auto left_out = left_out_layers(*candidate.network); !left_out.empty())
      outcome.warnings.push_back(std::move(left_out));
  }
  const auto& score = outcome.score;
  const auto& of_layers = outcome.warnings;
  auto warnings = workbench.left_out(benchmark);
  for (const auto* more : {&of_layers, &score.warnings})
    warnings.insert(warnings.end(), more->begin(), more->end());
  warnings = with_reason(std::move(warnings), score.raw.value);
  auto score_json = Json{{"raw", number(score.raw.value)},
                         {"ceiling", number(score.ceiling.value)},
                         {"ceiled", number(score.ceiled)},
                         {"ceiling_convention",
                          outcome.convention.empty() ? Json(nullptr) : Json(outcome.convention)}};
  const auto precision =
      candidate.network ? candidate.network->precision() : ForwardPrecision::kFloat32;
  auto timing = timing_json(outcome.times);
  timing["open"] = 1e3 * candidate.open_s;
  timing["load"] = 1e3 * load_s;
  timing["fit"] = 1e3 * outcome.fit_s;
  timing["total"] = 1e3 * total.seconds();
  Json record = {
      {"schema_version", 1},
      {"key", record_key(candidate.fingerprint, benchmark, workbench)},
      {"status", "ok"},
      {"model_identifier", candidate.identifier},
      {"graph_sha256", candidate.network ? Json(candidate.network->graph_sha256()) : Json(nullptr)},
      {"weights_sha256",
       candidate.network ? candidate.network->weights_sha256() : candidate.sha256},
      {"benchmark_identifier", benchmark.identifier},
      {"benchmark_version", benchmark.version},
      {"benchmark_sha256", benchmark.sha256},
      {"data_sha256", data_sha256},
      {"region", benchmark.region},
      {"parent", benchmark.parent},
      {"composite", benchmark.composite},
      {"metric", outcome.metric},
      {"layer", outcome.layer},
      {"layer_selection", outcome.layer_selection},
      {"preprocessing", preprocessing_json(candidate, benchmark)},
      {"score", score_json},
      {"raw", estimate_json(score.raw, "score")},
      {"ceiling", estimate_json(score.ceiling, "ceiling")},
      {"error",
       {{"sem", number(score.raw.error)},
        {"ceiled", number(score.ceiled_error)},
        {"ci_lo", number(score.ceiled_ci_lo)},
        {"ci_hi", number(score.ceiled_ci_hi)},
        {"level", options.bootstrap.level},
        {"method", "percentile bootstrap over " + outcome.resampled},
        {"n_boot", options.bootstrap.n_boot},
        {"seed", options.bootstrap.seed}}},
      {"split_scores", numbers(score.raw.split_values)},
      {"split_ceilings", numbers(score.ceiling.split_values)},
      {"populations", outcome.populations},
      {"n", outcome.n},
      {"precision",
       {{"activations", name_of(precision)},
        {"metric", "float64"},
        {"tf32", precision == ForwardPrecision::kTf32}}},
      {"device", {{"name", name_of(options.device)}}},
      {"engine", {{"version", CORTISCORE_VERSION}, {"torch", CORTISCORE_TORCH}}},
      {"warnings", warnings},
      {"timing_ms", std::move(timing)},
      {"peak_bytes", peak_bytes_json(outcome.times)},
      {"start", start},
      {"end", utc_now()}};
  if (!candidate.network) record["notes"] = notes_about(candidate.path);
  const char* job = std::getenv("SLURM_JOB_ID");
  if (job) {
    const char* restarts = std::getenv("SLURM_RESTART_COUNT");
    record["run"] = {{"slurm_job_id", job}, {"slurm_restart_count", restarts ? restarts : "0"}};
  }
  return record;
}

}  // namespace cortiscore
