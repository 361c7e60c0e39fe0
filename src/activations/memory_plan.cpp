#include "src/activations/memory_plan.h"

#include <algorithm>
#include <cstdio>

#include "cortiscore/error.h"
#include "src/core/parallel.h"
#include "src/linalg/feature_blocks.h"
#include "src/linalg/span.h"

namespace cortiscore {
namespace {

constexpr int64_t kMostPasses = 100;
constexpr int64_t kFloat = sizeof(float), kDouble = sizeof(double);

int64_t ceil_divide(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

class Planner {
 public:
  explicit Planner(const PlanLimits& limits) : limits_(limits) {
    if (limits.lane_bytes > limits.allowed_bytes) {
      throw Error(ErrorKind::kOutOfMemory,
                  limits.network + ": a forward pass over one micro-batch holds " +
                      bytes_text(limits.lane_bytes) + " at a time, found " +
                      bytes_text(limits.allowed_bytes) +
                      " allowed. Raise --memory-gib, or choose an earlier --layer.");
    }
    plan_.lanes = std::clamp<int64_t>(
        limits.allowed_bytes / 2 / std::max<int64_t>(1, limits.lane_bytes), 1, limits.most_lanes);
  }

  // Bytes of a layer while forward passes go on, whole or by columns.
  int64_t held(const LayerToPlan& layer, int64_t width) const {
    if (!layer.spanned) return limits_.n_stimuli * width * kFloat;
    return limits_.n_reference * width * kFloat + limits_.n_stimuli * limits_.n_reference * kDouble;
  }

  // Beside what is held, while a basis is turned or a reduction runs, and what that gives.
  int64_t beside(const LayerToPlan& layer) const {
    if (!layer.by_columns) return 0;  // activations as they are
    int64_t span = 0;
    if (layer.spanned) {
      const int64_t m = limits_.n_reference;
      span = kDouble * (6 * m * m + (1 + 3 * thread_count()) * m *
                                        std::min(layer.n_features, FeatureBlocks::kWidth));
    }
    return std::max(span, layer.reduced.working + layer.reduced.kept);
  }

  static int64_t kept(const LayerToPlan& layer) {
    return layer.by_columns ? layer.reduced.kept : 0;
  }

  // What layers take that are held together and reduced one after another.
  int64_t together(const std::vector<const LayerToPlan*>& layers) const {
    int64_t held_now = 0, kept_now = 0, most = 0;
    for (const auto* layer : layers) held_now += held(*layer, layer->n_features);
    most = held_now;
    for (const auto* layer : layers) {
      most = std::max(most, held_now + kept_now + beside(*layer));
      if (layer->by_columns) held_now -= held(*layer, layer->n_features);
      kept_now += kept(*layer);
    }
    return most;
  }

  int64_t fixed() const { return plan_.lanes * limits_.lane_bytes + kept_before_; }
  bool fits(int64_t bytes) const { return fixed() + bytes <= limits_.allowed_bytes; }
  void count(int64_t bytes) { plan_.bytes = std::max(plan_.bytes, fixed() + bytes); }

  Error too_large(const LayerToPlan& layer, const std::string& what, int64_t needed) const {
    const auto n = layer.spanned ? limits_.n_reference : limits_.n_stimuli;
    return {ErrorKind::kOutOfMemory,
            limits_.network + ": layer " + layer.name + ": its activations on " +
                std::to_string(n) + (layer.spanned ? " reference photos take " : " stimuli take ") +
                bytes_text(n * layer.n_features * kFloat) + what + "; found " +
                bytes_text(limits_.allowed_bytes) + " allowed, expected at least " +
                bytes_text(needed) +
                " for columns of it, what is made of them and forward passes under way. Raise "
                "--memory-gib, or choose another --layer."};
  }

  void add_alone(size_t place, const LayerToPlan& layer) {
    const int64_t whole = held(layer, layer.n_features) + beside(layer);
    if (!layer.by_columns) throw too_large(layer, " and are needed whole", fixed() + whole);
    const int64_t align = layer.spanned ? Span::kWidth : FeatureBlocks::kWidth;
    const int64_t least = held(layer, std::min(align, layer.n_features)) + beside(layer);
    if (!fits(least)) throw too_large(layer, "", fixed() + least);
    const int64_t on_disk = limits_.n_stimuli * layer.n_features * kFloat;
    if (!layer.spanned && limits_.spill_bytes && on_disk <= *limits_.spill_bytes) {
      count(least);
      plan_.spilled_bytes = std::max(plan_.spilled_bytes, on_disk);
      plan_.steps.push_back({MemoryPlan::Way::kSpilled, {place}});
    } else {
      const int64_t room = limits_.allowed_bytes - fixed() - beside(layer) - held(layer, 0);
      const int64_t a_column = (layer.spanned ? limits_.n_reference : limits_.n_stimuli) * kFloat;
      const auto passes_in = [&](int64_t bytes) {
        const int64_t columns = bytes / a_column / align * align;
        return columns > 0 ? ceil_divide(layer.n_features, columns) : kMostPasses + 1;
      };
      // Coordinates in a span are there for all reductions once they are made.
      const int64_t side_by_side = layer.spanned ? 0 : layer.in_step;
      const bool in_step = side_by_side > 0 && passes_in(room - side_by_side) <= kMostPasses &&
                           passes_in(room - side_by_side) < 2 * passes_in(room);
      const int64_t passes = passes_in(in_step ? room - side_by_side : room);
      if (passes > kMostPasses) {
        const int64_t enough = ceil_divide(ceil_divide(layer.n_features, kMostPasses), align);
        throw too_large(layer, ", which is " + std::to_string(passes) + " forward passes",
                        fixed() + beside(layer) + held(layer, enough * align));
      }
      const int64_t width = ceil_divide(ceil_divide(layer.n_features, passes), align) * align;
      count(beside(layer) + held(layer, width) + (in_step ? side_by_side : 0));
      plan_.steps.push_back({MemoryPlan::Way::kPasses,
                             {place},
                             width,
                             ceil_divide(layer.n_features, width),
                             in_step});
    }
    kept_before_ += kept(layer);
  }

  MemoryPlan plan(const std::vector<LayerToPlan>& layers) {
    std::vector<const LayerToPlan*> group;
    const auto close = [&] {
      if (group.empty()) return;
      count(together(group));
      for (const auto* layer : group)
        kept_before_ += layer->by_columns ? kept(*layer) : held(*layer, layer->n_features);
      group.clear();
    };
    for (size_t i = 0; i < layers.size(); ++i) {
      auto with = group;
      with.push_back(&layers[i]);
      if (!fits(together(with))) {
        close();
        with = {&layers[i]};
      }
      if (!fits(together(with))) {
        add_alone(i, layers[i]);
        continue;
      }
      if (group.empty()) plan_.steps.emplace_back();
      plan_.steps.back().layers.push_back(i);
      group = with;
    }
    close();
    return plan_;
  }

 private:
  const PlanLimits& limits_;
  MemoryPlan plan_;
  int64_t kept_before_ = 0;  // of steps that are done
};

}  // namespace

std::string bytes_text(int64_t bytes) {
  char text[32];
  const double gib = static_cast<double>(bytes) / (1 << 30);
  if (gib < 0.1) {
    std::snprintf(text, sizeof text, "%.3g MiB", gib * 1024);
  } else {
    std::snprintf(text, sizeof text, "%.1f GiB", gib);
  }
  return text;
}

MemoryPlan plan_memory(const std::vector<LayerToPlan>& layers, const PlanLimits& limits) {
  return Planner(limits).plan(layers);
}

}  // namespace cortiscore
