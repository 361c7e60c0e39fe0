#include "src/activations/reduce.h"

#include <cmath>
#include <cstdio>
#include <optional>

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

namespace {

// The spans of the layers that have more features than there are reference stimuli; null for the others.
std::vector<std::optional<Span>> spans_of(const Network& network,
                                          Screen& reference,
                                          const std::vector<std::string>& layers,
                                          ExtractionTimes& times) {
  std::vector<std::string> wide;
  for (const auto& layer : layers) {
    if (network.layer(layer).n_features() > reference.size()) wide.push_back(layer);
  }
  std::vector<std::optional<Span>> spans(layers.size());
  if (wide.empty()) return spans;
  Progress progress(network.identifier() + ": reference photos", reference.size());
  const Timer forward;
  auto activations = extract(
      network, reference, wide, [&](int64_t n) { progress.advance(n); }, &times.pass);
  times.forward_s += forward.seconds();
  ++times.passes;
  const Timer turning;
  for (size_t i = 0, w = 0; i < layers.size() && w < wide.size(); ++i) {
    if (layers[i] != wide[w]) continue;
    check_stop();
    // A float32 sum may overflow where every value is finite; a copy in float64 would be twice the layer.
    if (!std::isfinite(activations[w].sum().item<double>()) &&
        !activations[w].isfinite().all().item<bool>()) {
      throw bad_input({network.path(), "layer " + layers[i],
                       "NaN or infinity in its activations on the reference photos",
                       "finite features", "Check the network's weights and input range"});
    }
    spans[i].emplace(std::move(activations[w++]));
  }
  times.reduce_s += turning.seconds();
  return spans;
}

}  // namespace

std::vector<std::pair<std::string, ReducedLayer>> reduce_layers(
    const Network& network,
    Screen& screen,
    const std::vector<LayerWanted>& wanted,
    int64_t budget_bytes,
    ExtractionTimes& times,
    Screen* reference) {
  std::vector<std::vector<const LayerWanted*>> passes;
  int64_t held = 0;
  for (const auto& layer : wanted) {
    const auto& name = layer.layer;
    const int64_t n_features = network.layer(name).n_features();
    const bool spanned = reference && n_features > reference->size();
    // Of a layer that is spanned the basis is held, and coordinates of the stimuli.
    const int64_t bytes = spanned ? reference->size() * (n_features * 4 + screen.size() * 8)
                                  : screen.size() * n_features * 4;
    if (bytes > budget_bytes) {
      const auto n = spanned ? reference->size() : screen.size();
      throw Error(ErrorKind::kOutOfMemory,
                  network.path() + ": layer " + name + ": its activations on " + std::to_string(n) +
                      (spanned ? " reference photos take " : " stimuli take ") + gib(bytes) +
                      ", found " + gib(budget_bytes) +
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
    std::vector<std::optional<Span>> spans;
    std::vector<const Span*> span_of;
    if (reference) spans = spans_of(network, *reference, names, times);
    for (const auto& span : spans) span_of.push_back(span ? &*span : nullptr);
    const Timer forward;
    auto activations = extract(
        network, screen, names, [&](int64_t n) { progress.advance(n); }, &times.pass, span_of);
    times.forward_s += forward.seconds();
    const Timer reduce;
    for (size_t i = 0; i < group.size(); ++i) {
      for (const auto& reduction : group[i]->reductions) {
        check_stop();
        reduced.emplace_back(reduction.name,
                             ReducedLayer{names[i], network.layer(names[i]).n_features(),
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
