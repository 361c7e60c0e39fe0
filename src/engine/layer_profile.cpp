#include "src/engine/layer_profile.h"

#include <algorithm>
#include <limits>

#include <fnmatch.h>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/core/json_fault.h"
#include "src/data/json_file.h"
#include "src/engine/outcome.h"

namespace cortiscore {
namespace {

std::vector<double> raw_of(const LayerProfile& profile) {
  std::vector<double> values;
  for (const auto& layer : profile.layers) values.push_back(layer.raw.value);
  return values;
}

LayerProfile profile_of(const std::shared_ptr<const Benchmark>& benchmark,
                        const Candidate& candidate,
                        const ActivationRequest& request,
                        Workbench& workbench) {
  LayerProfile profile;
  profile.benchmark = benchmark;
  profile.data_sha256 = benchmark->recordings(workbench).data_sha256;
  const auto reduced = reduced_for(candidate, request, workbench, profile.times);
  auto scores = benchmark->profile(reduced, workbench);
  profile.ceiling = std::move(scores.ceiling);
  for (size_t i = 0; i < reduced.size(); ++i) {
    profile.layers.push_back(
        {without_window(reduced[i].layer), reduced[i].n_features, std::move(scores.raw[i])});
  }
  return profile;
}

// Layers as --match asks for them, pooled where that ends with :cls or :mean; without those that
// have no such thing, or less than so many features.
std::vector<std::string> matched(const Network& network,
                                 const std::string& match,
                                 int64_t min_features) {
  const auto wanted = read_layer_name(match);
  const auto pooling = wanted.pooling.empty() ? "" : ":" + wanted.pooling;
  const auto pattern = match.substr(0, match.size() - pooling.size());
  std::vector<std::string> layers;
  for (const auto& layer : layers_like(network.layers(), pattern, min_features)) {
    try {
      if (network.layer(layer + pooling).n_features() >= min_features)
        layers.push_back(layer + pooling);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::kBadInput) throw;
    }
  }
  return layers;
}

}  // namespace

std::vector<std::string> layers_to_profile(const Candidate& candidate,
                                           const Benchmarks& benchmarks,
                                           const std::string& match,
                                           CandidatesFrom from,
                                           int64_t n_candidates) {
  if (!candidate.network) {
    throw bad_input({candidate.path, "", "activations of one layer", "a network (.pt2)",
                     "`cortiscore score` maps activations"});
  }
  int64_t min_features = 1;
  for (const auto& benchmark : benchmarks)
    min_features = std::max(min_features, benchmark->layer_rule().min_features);
  const auto& network = *candidate.network;
  if (match.empty()) {
    const auto most = std::numeric_limits<int64_t>::max() / 4;
    return candidate_layers(network.layers(), from, n_candidates ? n_candidates : most,
                            min_features);
  }
  auto layers = matched(network, match, min_features);
  if (layers.empty()) {
    throw Error(ErrorKind::kUnknownName, "--match: no layer of " + candidate.path + " with " +
                                             std::to_string(min_features) +
                                             " features or more is like \"" + match +
                                             "\". `cortiscore model inspect` lists them.");
  }
  return layers;
}

Json profile_json(const Candidate& candidate, const LayerProfile& profile) {
  Json layers = Json::array();
  for (const auto& layer : profile.layers) {
    layers.push_back({{"layer", layer.layer},
                      {"features", layer.n_features},
                      {"raw", number(layer.raw.value)},
                      {"error", number(layer.raw.error)},
                      {"ci_lo", number(layer.raw.ci_lo)},
                      {"ci_hi", number(layer.raw.ci_hi)}});
  }
  return {{"model_identifier", candidate.identifier},
          {"benchmark_identifier", profile.benchmark->identifier},
          {"region", profile.benchmark->region},
          {"ceiling", number(profile.ceiling.value)},
          {"best", profile.layers[profile.best()].layer},
          {"layers", layers},
          {"timing_ms", timing_json(profile.times)},
          {"peak_bytes", peak_bytes_json(profile.times)}};
}

size_t LayerProfile::best() const {
  return best_of(raw_of(*this));
}

std::vector<LayerProfile> profile_layers(const Candidate& candidate,
                                         const Benchmarks& benchmarks,
                                         const std::vector<std::string>& layers,
                                         Workbench& workbench) {
  std::vector<ActivationRequest> requests;
  for (const auto& benchmark : benchmarks) {
    requests.push_back(profile_request(candidate, *benchmark, layers, workbench));
    announce(candidate, requests.back());
  }
  std::vector<LayerProfile> profiles;
  for (size_t i = 0; i < benchmarks.size(); ++i)
    profiles.push_back(profile_of(benchmarks[i], candidate, requests[i], workbench));
  return profiles;
}

Json commitment_json(const Candidate& candidate,
                     const std::vector<LayerProfile>& profiles,
                     Workbench& workbench) {
  Json map = Json::object(), chosen_on = Json::object();
  std::map<std::string, std::vector<const LayerProfile*>> by_region;
  for (const auto& profile : profiles) by_region[profile.benchmark->region].push_back(&profile);
  for (const auto& [region, of_region] : by_region) {
    std::vector<double> mean(of_region.front()->layers.size(), 0.0);
    for (const auto* profile : of_region) {
      const auto raw = raw_of(*profile);
      TORCH_CHECK_VALUE(raw.size() == mean.size(), "commitment_json: profiles of other layers");
      for (size_t i = 0; i < raw.size(); ++i)
        mean[i] += raw[i] / static_cast<double>(of_region.size());
    }
    const auto best = best_of(mean);
    map[region] = of_region.front()->layers[best].layer;
    for (const auto* profile : of_region) {
      chosen_on[region].push_back({{"benchmark_identifier", profile->benchmark->identifier},
                                   {"benchmark_version", profile->benchmark->version},
                                   {"data_sha256", profile->data_sha256},
                                   {"candidates", profile->layers.size()},
                                   {"raw", number(profile->layers[best].raw.value)}});
    }
  }
  Json photos = nullptr;
  if (!workbench.options().reference_photos.empty()) {
    const auto [n, sha256] = workbench.reference_photos();
    photos = {{"stimuli", n}, {"sha256", sha256}};
  }
  return {
      {"schema_version", 1},
      {"reference_photos", photos},
      {"model_identifier", candidate.identifier},
      {"graph_sha256", candidate.network ? Json(candidate.network->graph_sha256()) : Json(nullptr)},
      {"weights_sha256",
       candidate.network ? candidate.network->weights_sha256() : candidate.sha256},
      {"region_layer_map", map},
      {"chosen_on", chosen_on}};
}

void read_commitment(const std::string& path, ScoreOptions& options) {
  try {
    const auto json = read_json(path, "a commitment: region_layer_map {region: layer}");
    const bool ours = json.contains("region_layer_map");
    const auto& map = ours ? json.at("region_layer_map") : json;
    if (!map.is_object())  // null and lists have no regions, and would commit to nothing in silence
      throw bad_input({path, ours ? "region_layer_map" : "", map.type_name(),
                       "a commitment: region_layer_map {region: layer}",
                       "Write one with `cortiscore layers NETWORK -b BENCHMARK -o FILE`"});
    for (const auto& [region, layer] : map.items()) {
      const auto named = layer.get<std::string>();
      if (!options.layers.contains("")) options.layers.try_emplace(region, named);
    }
    if (!ours || !json.contains("chosen_on")) return;
    for (const auto& [region, list] : json.at("chosen_on").items()) {
      for (const auto& entry : list)
        options.chosen_on[region].push_back({json.at("region_layer_map").at(region),
                                             entry.at("benchmark_identifier"),
                                             entry.at("data_sha256")});
    }
  } catch (const Json::exception& e) {
    throw bad_input({path, "", json_fault(e), "a commitment: region_layer_map {region: layer}",
                     "Write one with `cortiscore layers NETWORK -b BENCHMARK -o FILE`"});
  }
}

void check_commitment(const Benchmark& benchmark, Workbench& workbench) {
  const auto& options = workbench.options();
  const auto chosen = options.chosen_on.find(benchmark.region);
  const auto layer = options.layers.find(benchmark.region);
  if (chosen == options.chosen_on.end() || layer == options.layers.end()) return;
  // Recordings alone, the last is the stimulus set's: other responses to the same images are other
  // data.
  const auto& own = benchmark.recordings(workbench).data_sha256;
  for (const auto& [map_layer, identifier, data] : chosen->second) {
    if (map_layer != layer->second) continue;  // another was named by hand
    for (size_t i = 0; i + 1 < own.size(); ++i) {
      if (std::find(data.begin(), data.end(), own[i]) == data.end()) continue;
      throw Error(ErrorKind::kUsage,
                  benchmark.identifier + ": layer " + map_layer + " was chosen on " + identifier +
                      ", whose recordings are these: a layer is not scored on the data that chose "
                      "it. Leave --layer-map away (layers then compete, see --choice), or "
                      "choose on another benchmark.");
    }
  }
}

}  // namespace cortiscore
