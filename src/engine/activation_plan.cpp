#include "src/engine/activation_plan.h"

#include <algorithm>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/core/progress.h"
#include "src/data/choices.h"
#include "src/data/table.h"
#include "src/engine/attempt.h"
#include "src/engine/candidate.h"

namespace cortiscore {

std::string ShownStimuli::group() const {
  return sha256 + " " + std::to_string(visual_degrees) + " " + std::to_string(trials);
}

ShownStimuli shown_set(const Manifest& benchmark, const Recordings& set, int64_t trials) {
  ShownStimuli shown = {&set.stimuli, set.data_sha256.back(), benchmark.visual_degrees, trials};
  if (!set.stimuli.has("degrees")) return shown;
  const auto degrees = distinct(set.stimuli.column("degrees"));
  if (degrees.size() != 1) {
    throw bad_input({set.stimuli.path(), "degrees", std::to_string(degrees.size()) + " sizes",
                     "one size of a set on the screen", ""});
  }
  shown.visual_degrees = number_in(degrees[0], set.stimuli.path(), "degrees", 0);
  return shown;
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

void announce(const Candidate& candidate, const ActivationRequest& request) {
  if (candidate.network) candidate.plan->want(request.shown.group(), request);
}

std::vector<ReducedLayer> reduced_for(const Candidate& candidate,
                                      const ActivationRequest& request,
                                      Workbench& workbench,
                                      ExtractionTimes& times) {
  const auto& shown = request.shown;
  if (candidate.network) {
    auto& screen = workbench.screen(shown, *candidate.network);
    return candidate.plan->take(shown.group(), request, *candidate.network, screen,
                                workbench.limits(), times, workbench.reference(*candidate.network));
  }
  MatrixBlocks features(features_for(candidate, shown.stimuli->ids(),
                                     "one a stimulus of " + shown.stimuli->path(),
                                     "Compute activations in the order of that file"));
  return {{"features", candidate.features.size(1), request.reduction.reduce(features)}};
}

}  // namespace cortiscore
