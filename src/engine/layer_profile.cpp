#include "src/engine/layer_profile.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/progress.h"
#include "src/data/json_file.h"
#include "src/engine/outcome.h"
#include "src/metric/predictivity.h"
#include "src/metric/rdm.h"
#include "src/ops/upper_triangle.h"

namespace cortiscore {
namespace {

// Per-neuroid scores of every population side by side: [splits, neuroids].
at::Tensor map_all(const at::Tensor& features,
                   const Part& part,
                   const Benchmark& benchmark,
                   const MappingOptions& options) {
  std::vector<at::Tensor> side_by_side;
  for (const auto& fit : map_part(features, part, benchmark, options))
    side_by_side.push_back(fit.per_neuroid);
  return at::cat(side_by_side, 1);
}

// All neuroids together, or the mean of populations.
Estimate raw_of_part(const at::Tensor& per_neuroid,
                     const Part& part,
                     const Benchmark& benchmark,
                     const BootstrapOptions& bootstrap) {
  if (!benchmark.mean_of_populations) {
    auto raw = aggregate(per_neuroid);
    bootstrap_over_neuroids(raw, bootstrap);
    return raw;
  }
  std::vector<Estimate> populations;
  int64_t begin = 0;
  for (size_t p = 0; p < part.targets.size(); ++p) {
    const int64_t count = part.targets[p].size(1);
    populations.push_back(aggregate(per_neuroid.narrow(1, begin, count)));
    bootstrap_over_neuroids(populations.back(), population_bootstrap(benchmark, bootstrap, p));
    begin += count;
  }
  return mean_of_estimates(populations, bootstrap.level);
}

std::vector<double> raw_of(const LayerProfile& profile) {
  std::vector<double> values;
  for (const auto& layer : profile.layers) values.push_back(layer.raw.value);
  return values;
}

}  // namespace

size_t LayerProfile::best() const {
  return best_of(raw_of(*this));
}

namespace {

// What a profile takes of every layer: its scores, or its RDM, so that no layer is held.
ActivationRequest profile_request(const Candidate& candidate,
                                  const Benchmark& benchmark,
                                  const std::vector<std::string>& layers,
                                  Workbench& workbench) {
  ActivationRequest request = {benchmark, layers, {}};
  if (candidate.network) {
    for (auto& layer : request.layers) layer = in_window_of(benchmark, *candidate.network, layer);
  }
  if (benchmark.kind == Benchmark::Kind::kMapping) {
    if (benchmark.mapping.kind == MappingKind::kMask) {
      throw Error(ErrorKind::kUsage, benchmark.identifier +
                                         " trains masks for minutes a layer: profile layers on "
                                         "benchmarks that map otherwise.");
    }
    auto options = benchmark.mapping;
    options.pls.top.mode = workbench.options().mode;
    const auto& part = workbench.neural(benchmark).whole();
    const auto features = reduction_of(benchmark);
    request.reduction = features;
    request.reduction.name = "predictivity " + benchmark.sha256;
    request.reduction.reduce = [&part, benchmark, options,
                                reduce = features.reduce](FeatureBlocks& activations) {
      return map_all(reduce(activations), part, benchmark, options);
    };
  } else if (benchmark.kind == Benchmark::Kind::kRdm) {
    if (!workbench.options().reference_photos.empty()) {
      throw Error(ErrorKind::kUsage,
                  "--reference-photos: " + benchmark.identifier +
                      " compares RDMs, which depend on the axes of that space: profile layers on "
                      "benchmarks that map, or leave the photos away.");
    }
    request.reduction = reduction_of(benchmark);
  } else if (benchmark.kind == Benchmark::Kind::kProperty ||
             benchmark.kind == Benchmark::Kind::kFactors ||
             benchmark.kind == Benchmark::Kind::kDomains ||
             benchmark.kind == Benchmark::Kind::kSolutionTimes) {
    throw Error(ErrorKind::kUsage, benchmark.identifier +
                                       " looks at one committed layer: profile layers on neural "
                                       "benchmarks that map, or compare RDMs.");
  } else {
    throw Error(ErrorKind::kUsage,
                benchmark.identifier +
                    " is behaviour, whose readout has one place in a network: profile layers on "
                    "neural benchmarks.");
  }
  return request;
}

LayerProfile profile_of(const Candidate& candidate,
                        const ActivationRequest& request,
                        Workbench& workbench) {
  const auto& benchmark = request.benchmark;
  const auto& bootstrap = workbench.options().bootstrap;
  LayerProfile profile;
  profile.benchmark = benchmark;
  profile.data_sha256 = workbench.data_sha256(benchmark);
  const auto reduced = reduced_for(candidate, request, workbench, profile.times);
  if (benchmark.kind == Benchmark::Kind::kMapping) {
    const auto& part = workbench.neural(benchmark).whole();
    profile.ceiling = part.ceiling;
    for (const auto& layer : reduced) {
      profile.layers.push_back({without_window(layer.layer), layer.n_features,
                                raw_of_part(layer.values, part, benchmark, bootstrap)});
    }
  } else {
    const auto& part = workbench.rdm(benchmark).whole();
    profile.ceiling = part.ceiling;
    for (const auto& layer : reduced) {
      auto raw = rdm_similarity_with_draws(compared_pairs(layer.values, benchmark.comparison),
                                           part.subjects, bootstrap);
      profile.layers.push_back({without_window(layer.layer), layer.n_features, std::move(raw)});
    }
  }
  return profile;
}

}  // namespace

std::vector<LayerProfile> profile_layers(const Candidate& candidate,
                                         const std::vector<Benchmark>& benchmarks,
                                         const std::vector<std::string>& layers,
                                         Workbench& workbench) {
  std::vector<ActivationRequest> requests;
  for (const auto& benchmark : benchmarks) {
    requests.push_back(profile_request(candidate, benchmark, layers, workbench));
    announce(candidate, requests.back(), workbench);
  }
  std::vector<LayerProfile> profiles;
  for (const auto& request : requests)
    profiles.push_back(profile_of(candidate, request, workbench));
  return profiles;
}

Json commitment_json(const Candidate& candidate,
                     const std::vector<LayerProfile>& profiles,
                     Workbench& workbench) {
  Json map = Json::object(), chosen_on = Json::object();
  std::map<std::string, std::vector<const LayerProfile*>> by_region;
  for (const auto& profile : profiles) by_region[profile.benchmark.region].push_back(&profile);
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
      chosen_on[region].push_back({{"benchmark_identifier", profile->benchmark.identifier},
                                   {"benchmark_version", profile->benchmark.version},
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
    for (const auto& [region, layer] : map.items())
      options.layers.try_emplace(region, layer.get<std::string>());
    if (!ours || !json.contains("chosen_on")) return;
    for (const auto& [region, list] : json.at("chosen_on").items()) {
      for (const auto& entry : list)
        options.chosen_on[region].push_back({json.at("region_layer_map").at(region),
                                             entry.at("benchmark_identifier"),
                                             entry.at("data_sha256")});
    }
  } catch (const Json::exception& e) {
    throw bad_input({path, "", e.what(), "a commitment: region_layer_map {region: layer}",
                     "Write one with `cortiscore layers NETWORK -b BENCHMARK -o FILE`"});
  }
}

void check_commitment(const Benchmark& benchmark, Workbench& workbench) {
  const auto& options = workbench.options();
  const auto chosen = options.chosen_on.find(benchmark.region);
  const auto layer = options.layers.find(benchmark.region);
  if (chosen == options.chosen_on.end() || layer == options.layers.end()) return;
  // Recordings alone, the last is the stimulus set's: other responses to the same images are other data.
  const auto& own = workbench.data_sha256(benchmark);
  for (const auto& [map_layer, identifier, data] : chosen->second) {
    if (map_layer != layer->second) continue;  // another was named by hand
    for (size_t i = 0; i + 1 < own.size(); ++i) {
      if (std::find(data.begin(), data.end(), own[i]) == data.end()) continue;
      throw Error(ErrorKind::kUsage,
                  benchmark.identifier + ": layer " + map_layer + " was chosen on " + identifier +
                      ", whose recordings are these: a layer is not scored on the data that chose "
                      "it. Leave --layer-map away (layers then compete on alternating halves), or "
                      "choose on another benchmark.");
    }
  }
}

}  // namespace cortiscore
