#include "src/engine/activation_plan.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/activations/extract.h"
#include "src/core/progress.h"
#include "src/engine/outcome.h"
#include "src/metric/rdm.h"
#include "src/metric/responsive_units.h"

namespace cortiscore {

std::string activation_group(const Benchmark& benchmark, Workbench& workbench) {
  return workbench.data_sha256(benchmark).back() + " " + std::to_string(benchmark.visual_degrees) +
         " " + std::to_string(benchmark.trials);
}

namespace {

ReductionMemory rdm_memory(int64_t n, int64_t p) {
  const int64_t matrix = n * n * int64_t{sizeof(double)};
  return {matrix, 2 * matrix + block_bytes(n, p)};
}

// Every unit might stand out.
ReductionMemory responsive_memory(int64_t n, int64_t p) {
  auto memory = rdm_memory(n, p);
  memory.working += 2 * n * p * int64_t{sizeof(double)};
  return memory;
}

}  // namespace

NamedReduction reduction_of(const Benchmark& benchmark) {
  switch (benchmark.kind) {
    case Benchmark::Kind::kMapping:
      // Each unit is predicted; or looked at in its place.
      if (benchmark.reverse || benchmark.mapping.kind == MappingKind::kMask)
        return all_activations();
      return {"coordinates", coordinates_of, coordinates_memory};
    case Benchmark::Kind::kRdm:
      if (benchmark.responsive_units) {
        return {"rdm of responsive units " + name_of(benchmark.distance),
                [distance = benchmark.distance](FeatureBlocks& all) {
                  return rdm(responsive_units(all), distance);
                },
                responsive_memory};
      }
      return {"rdm " + name_of(benchmark.distance),
              [distance = benchmark.distance](FeatureBlocks& all) { return rdm(all, distance); },
              rdm_memory};
    default:
      return all_activations();
  }
}

ActivationRequest score_request(const Candidate& candidate,
                                const Benchmark& benchmark,
                                const ScoreOptions& options) {
  return {benchmark, layers_for(candidate, benchmark, options), reduction_of(benchmark)};
}

void ActivationPlan::want(const std::string& group, const ActivationRequest& request) {
  for (const auto& layer : request.layers) {
    auto& item = groups_[group].items[layer][request.reduction.name];
    item.reduction = request.reduction;
    ++item.uses;
  }
}

std::vector<LayerWanted> ActivationPlan::missing(const Group& group, const Network& network) {
  std::vector<LayerWanted> wanted;
  for (const auto& [layer, items] : group.items) {
    LayerWanted of_layer{layer, {}};
    for (const auto& [name, item] : items) {
      if (!item.made) of_layer.reductions.push_back(item.reduction);
    }
    if (!of_layer.reductions.empty()) wanted.push_back(std::move(of_layer));
  }
  // In order of execution: a pass ends at its last.
  std::stable_sort(wanted.begin(), wanted.end(), [&](const LayerWanted& a, const LayerWanted& b) {
    return network.ends_at(a.layer) < network.ends_at(b.layer);
  });
  return wanted;
}

std::map<std::string, std::vector<LayerWanted>> ActivationPlan::wanted(
    const Network& network) const {
  std::map<std::string, std::vector<LayerWanted>> all;
  for (const auto& [name, group] : groups_) {
    auto layers = missing(group, network);
    if (!layers.empty()) all[name] = std::move(layers);
  }
  return all;
}

std::vector<ReducedLayer> ActivationPlan::take(const std::string& group_name,
                                               const ActivationRequest& request,
                                               const Network& network,
                                               Screen& screen,
                                               const ExtractionLimits& limits,
                                               ExtractionTimes& times,
                                               Screen* reference) {
  auto& group = groups_[group_name];
  const auto& reduction = request.reduction;
  std::vector<LayerWanted> own;
  for (const auto& layer : request.layers) {
    auto& item = group.items[layer][reduction.name];
    item.reduction = reduction;
    if (!item.made) own.push_back({layer, {reduction}});
  }
  const auto make = [&](const std::vector<LayerWanted>& wanted) {
    for (auto& [name, reduced] : reduce_layers(network, screen, wanted, limits, times, reference))
      group.items.at(reduced.layer).at(name).made = std::move(reduced);
  };
  if (!own.empty()) {
    std::optional<Failure> failure;
    if (group.together) failure = attempt([&] { make(missing(group, network)); });
    if (failure) {
      group.together = false;
      // Without the network's file, which a sweep may have in a temporary one.
      auto why = failure->message;
      if (const auto path = network.path() + ": "; why.starts_with(path)) why.erase(0, path.size());
      log_line("one pass for all benchmarks failed, so each takes its own: " + why);
    }
    if (!group.together) make(own);
  }
  std::vector<ReducedLayer> taken;
  for (const auto& layer : request.layers) {
    auto& of_layer = group.items.at(layer);
    auto& item = of_layer.at(reduction.name);
    taken.push_back(*item.made);
    if (--item.uses <= 0) of_layer.erase(reduction.name);
  }
  return taken;
}

std::optional<ActivationRequest> request_of(const Candidate& candidate,
                                            const Benchmark& benchmark,
                                            Workbench& workbench) {
  switch (benchmark.kind) {
    case Benchmark::Kind::kProperty:
    case Benchmark::Kind::kThreshold:
      return std::nullopt;
    case Benchmark::Kind::kFactors:
      return factor_request(candidate, benchmark, workbench);
    default:
      return score_request(candidate, benchmark, workbench.options());
  }
}

void announce(const Candidate& candidate, const ActivationRequest& request, Workbench& workbench) {
  if (candidate.network)
    candidate.plan->want(activation_group(request.benchmark, workbench), request);
}

std::vector<ReducedLayer> reduced_for(const Candidate& candidate,
                                      const ActivationRequest& request,
                                      Workbench& workbench,
                                      ExtractionTimes& times) {
  const auto& benchmark = request.benchmark;
  const auto& stimuli = workbench.stimuli(benchmark);
  if (candidate.network) {
    auto preprocessing = preprocessing_of(*candidate.network, benchmark.visual_degrees);
    preprocessing.trials = benchmark.trials;
    auto& screen = workbench.screen(benchmark, preprocessing);
    return candidate.plan->take(activation_group(benchmark, workbench), request, *candidate.network,
                                screen, workbench.limits(), times,
                                workbench.reference(*candidate.network));
  }
  MatrixBlocks features(features_for(candidate, stimuli.ids(),
                                     "one a stimulus of " + stimuli.path(),
                                     "Compute activations in the order of that file"));
  return {{"features", candidate.features.size(1), request.reduction.reduce(features)}};
}

}  // namespace cortiscore
