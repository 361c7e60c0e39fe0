#include "src/activations/reduce.h"

#include <cmath>
#include <cstdio>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/activations/extract.h"
#include "src/core/progress.h"
#include "src/core/stop.h"
#include "src/linalg/gram.h"

namespace cortiscore {
namespace {

std::string gib(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(bytes) / (1 << 30));
  return text;
}

}  // namespace

at::Tensor coordinates_of(const at::Tensor& activations) {
  return activations.size(1) <= activations.size(0) ? activations.to(at::kDouble)
                                                    : isometric_coordinates(activations);
}

std::vector<std::pair<std::string, ReducedLayer>> reduce_layers(
    const Network& network,
    Screen& screen,
    const std::vector<LayerWanted>& wanted,
    int64_t budget_bytes,
    ExtractionTimes& times) {
  std::vector<std::vector<const LayerWanted*>> passes;
  int64_t held = 0;
  for (const auto& layer : wanted) {
    const auto& name = layer.layer;
    const int64_t bytes = screen.size() * network.layer(name).n_features() * 4;
    if (bytes > budget_bytes) {
      throw Error(ErrorKind::kOutOfMemory, network.path() + ": layer " + name +
                                               ": its activations on " +
                                               std::to_string(screen.size()) + " stimuli take " +
                                               gib(bytes) + ", found " + gib(budget_bytes) +
                                               " allowed. Raise --memory-gib, or "
                                               "choose another --layer.");
    }
    if (passes.empty() || held + bytes > budget_bytes) passes.emplace_back(), held = 0;
    passes.back().push_back(&layer);
    held += bytes;
    times.peak_bytes = std::max(times.peak_bytes, held);
  }
  if (passes.size() > 1) {
    log_line("activations exceed " + gib(budget_bytes) +
             " (--memory-gib): " + std::to_string(passes.size()) + " forward passes over " +
             std::to_string(screen.size()) + " stimuli");
  }
  times.passes += static_cast<int64_t>(passes.size());
  Progress progress(network.identifier() + ": forward",
                    screen.size() * static_cast<int64_t>(passes.size()));
  std::vector<std::pair<std::string, ReducedLayer>> reduced;
  for (const auto& group : passes) {
    std::vector<std::string> names;
    for (const auto* layer : group) names.push_back(layer->layer);
    const Timer forward;
    auto activations = extract(
        network, screen, names, [&](int64_t n) { progress.advance(n); }, &times.pass);
    times.forward_s += forward.seconds();
    const Timer reduce;
    for (size_t i = 0; i < group.size(); ++i) {
      for (const auto& reduction : group[i]->reductions) {
        check_stop();
        reduced.emplace_back(reduction.name, ReducedLayer{names[i], activations[i].size(1),
                                                          reduction.reduce(activations[i])});
        // A reduction may have NaN of its own: an RDM where a pattern is constant.
        if (!std::isfinite(reduced.back().second.values.sum().item<double>()) &&
            !activations[i].isfinite().all().item<bool>()) {
          throw bad_input(
              {network.path(), "layer " + names[i], "NaN or infinity in its activations",
               "finite features",
               "A network that overflows cannot be mapped: check its weights and input range"});
        }
      }
      activations[i].reset();
    }
    times.reduce_s += reduce.seconds();
  }
  return reduced;
}

}  // namespace cortiscore
