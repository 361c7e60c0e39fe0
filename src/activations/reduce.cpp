#include "src/activations/reduce.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/activations/in_step.h"
#include "src/activations/spill.h"
#include "src/core/host_allocator.h"
#include "src/core/parallel.h"
#include "src/core/process_memory.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/core/stop.h"
#include "src/linalg/gram.h"
#include "src/linalg/span.h"

namespace cortiscore {
namespace {

constexpr int64_t kDoubleBytes = sizeof(double);

}  // namespace

NamedReduction all_activations() {
  return {"activations", [](FeatureBlocks& x) { return whole(x); },
          [](int64_t n, int64_t p) {
            return ReductionMemory{n * p * int64_t{sizeof(float)}, 0};
          },
          false};
}

at::Tensor coordinates_of(FeatureBlocks& activations) {
  if (activations.features() > activations.rows()) return isometric_coordinates(activations);
  return by_columns(activations,
                    [](int64_t, const at::Tensor& columns) { return columns.to(at::kDouble); });
}

ReductionMemory coordinates_memory(int64_t n, int64_t p) {
  if (p <= n) return {n * p * kDoubleBytes, n * p * kDoubleBytes};
  // Gram matrix, its lifted copy, both factors, their product; or eigenvectors.
  return {n * n * kDoubleBytes, 6 * n * n * kDoubleBytes + block_bytes(n, p)};
}

namespace {

// A float32 sum may overflow where every value is finite; a copy in float64 would be twice the
// layer.
bool finite(const at::Tensor& values) {
  return std::isfinite(values.sum().item<double>()) || values.isfinite().all().item<bool>();
}

class Extraction {
 public:
  Extraction(const Network& network,
             Screen& screen,
             const std::vector<LayerWanted>& wanted,
             const ExtractionLimits& limits,
             ExtractionTimes& times,
             Screen* reference)
      : network_(network),
        screen_(screen),
        wanted_(wanted),
        limits_(limits),
        times_(times),
        reference_(reference) {}

  std::vector<std::pair<std::string, ReducedLayer>> run() {
    const auto plan = make_plan();
    for (const auto& step : plan.steps) {
      if (step.way == MemoryPlan::Way::kResident) {
        take_resident(step);
      } else if (spanned(step.layers[0])) {
        take_span_by_passes(step);
      } else if (step.way == MemoryPlan::Way::kSpilled) {
        take_spilled(step.layers[0]);
      } else {
        take_by_passes(step);
      }
    }
    return std::move(reduced_);
  }

 private:
  const std::string& name(size_t layer) const { return wanted_[layer].layer; }
  int64_t features(size_t layer) const { return network_.layer(name(layer)).n_features(); }
  bool spanned(size_t layer) const { return reference_ && features(layer) > reference_->size(); }

  MemoryPlan make_plan() {
    auto plan = plan_extraction(network_, screen_.size(), wanted_, limits_,
                                reference_ ? reference_->size() : 0);
    lanes_ = plan.lanes;
    if (network_.device().is_cpu()) allow_host_memory(plan.bytes);
    if (plan.steps.size() > 1 || plan.steps[0].way == MemoryPlan::Way::kPasses) {
      screen_.keep();
      if (reference_) reference_->keep();
    }
    if (!times_.process_bytes) times_.process_bytes = resident_bytes().now;
    times_.planned_bytes = std::max(times_.planned_bytes, plan.bytes);
    times_.stimulus_bytes = std::max(
        times_.stimulus_bytes, screen_.kept_bytes() + (reference_ ? reference_->kept_bytes() : 0));
    announce(plan);
    return plan;
  }

  void announce(const MemoryPlan& plan) const {
    int64_t resident = 0;
    for (const auto& step : plan.steps) {
      if (step.way == MemoryPlan::Way::kResident) {
        ++resident;
        continue;
      }
      const auto i = step.layers[0];
      log_line("layer " + name(i) + " (" + std::to_string(features(i)) +
               " features) does not fit into " + bytes_text(limits_.memory_bytes) +
               " (--memory-gib): " +
               (step.way == MemoryPlan::Way::kSpilled
                    ? "spilled to " + limits_.spill_folder
                    : std::to_string(step.sweep_passes) + " forward passes over its features"));
    }
    if (resident > 1) {
      log_line("activations exceed " + bytes_text(limits_.memory_bytes) +
               " (--memory-gib): " + std::to_string(resident) + " forward passes over " +
               std::to_string(screen_.size()) + " stimuli");
    }
  }

  Error not_finite(size_t layer, const std::string& where) const {
    return bad_input(
        {network_.path(), "layer " + name(layer), "NaN or infinity in its activations" + where,
         "finite features",
         "A network that overflows cannot be mapped: check its weights and input range"});
  }

  // One pass over all stimuli of a screen.
  void pass(Screen& screen, const std::vector<std::string>& layers, const Keep& keep) {
    Progress progress(
        network_.identifier() + (&screen == reference_ ? ": reference photos" : ": forward"),
        screen.size());
    const Timer forward;
    stream(
        network_, screen, layers, keep, [&](int64_t n) { progress.advance(n); }, &times_.pass,
        lanes_);
    times_.forward_s += forward.seconds();
    ++times_.passes;
  }

  // Columns of layers on all stimuli of a screen.
  std::vector<at::Tensor> columns_of(Screen& screen,
                                     const std::vector<std::string>& layers,
                                     const std::vector<Columns>& columns) {
    std::vector<KeptColumns> kept;
    for (const auto& of_layer : columns) kept.emplace_back(network_, screen.size(), of_layer);
    pass(screen, layers, [&](size_t i, int64_t first, int64_t count, const at::Tensor& rows) {
      kept[i].keep(first, count, rows);
    });
    std::vector<at::Tensor> out;
    for (auto& of_layer : kept) out.push_back(std::move(of_layer.values));
    return out;
  }

  // A layer too large for memory: each sweep takes its columns by so many forward passes.
  class ByPasses final : public FeatureBlocks {
   public:
    ByPasses(Extraction& extraction, Screen& screen, size_t layer, int64_t width)
        : FeatureBlocks(screen.size(), extraction.features(layer)),
          extraction_(extraction),
          screen_(screen),
          layer_(layer),
          width_(width) {}

    void each(const Visit& visit) override {
      for (int64_t first = 0; first < features(); first += width_) {
        const Columns part{first, std::min(width_, features() - first)};
        const auto columns = extraction_.columns_of(screen_, {extraction_.name(layer_)}, {part})[0];
        if (!finite(columns)) throw extraction_.not_finite(layer_, "");
        visit(first, columns);
      }
    }

   private:
    Extraction& extraction_;
    Screen& screen_;
    size_t layer_;
    int64_t width_;
  };

  // Seconds of `work` but for the forward passes in it.
  template <typename Work>
  void reducing(const Work& work) {
    const double forward_s = times_.forward_s;
    const Timer timer;
    work();
    times_.reduce_s += timer.seconds() - (times_.forward_s - forward_s);
  }

  // Every reduction of a layer; where one gives a value that is not finite, `fine` says whether the
  // layer is: a reduction may have NaN of its own, an RDM where a pattern is constant.
  void reduce(size_t layer, FeatureBlocks& blocks, const std::function<bool()>& fine) {
    for (const auto& reduction : wanted_[layer].reductions) {
      check_stop();
      const Stage reducing_it(StageName::kReduce, name(layer));
      reduced_.emplace_back(reduction.name,
                            ReducedLayer{name(layer), features(layer), reduction.reduce(blocks)});
      if (!std::isfinite(reduced_.back().second.values.sum().item<double>()) && !fine())
        throw not_finite(layer, "");
    }
  }

  void take_by_passes(const MemoryPlan::Step& step) {
    const auto layer = step.layers[0];
    ByPasses blocks(*this, screen_, layer, step.width);
    reducing([&] {
      if (!step.in_step) {
        reduce(layer, blocks, [] { return true; });
        return;
      }
      const auto& reductions = wanted_[layer].reductions;
      std::vector<at::Tensor> values(reductions.size());
      std::vector<std::function<void(FeatureBlocks&)>> work;
      for (size_t i = 0; i < reductions.size(); ++i)
        work.emplace_back(
            [&, i](FeatureBlocks& of_layer) { values[i] = reductions[i].reduce(of_layer); });
      const Stage reducing_it(StageName::kReduce, name(layer));
      reduce_in_step(blocks, work);
      for (size_t i = 0; i < reductions.size(); ++i)
        reduced_.emplace_back(reductions[i].name,
                              ReducedLayer{name(layer), features(layer), values[i]});
    });
  }

  void take_spilled(size_t layer) {
    SpilledLayer blocks(limits_.spill_folder, screen_.size(), features(layer), network_.device());
    std::atomic<bool> fine = true;
    pass(screen_, {name(layer)}, [&](size_t, int64_t first, int64_t count, const at::Tensor& rows) {
      const auto stimuli = rows.narrow(0, 0, count);
      if (!finite(stimuli)) fine = false;
      blocks.write(first, stimuli);
    });
    times_.spilled_bytes += blocks.bytes();
    if (!fine) throw not_finite(layer, "");
    reducing([&] { reduce(layer, blocks, [] { return true; }); });
  }

  // A layer's columns of a basis, and sums of products with them.
  struct InSpan {
    std::optional<Span> span;
    at::Tensor basis, offset, sums;

    void begin(FeatureBlocks& reference, int64_t n, const at::Device& device) {
      span.emplace(reference);
      const auto options = at::device(device).dtype(at::kDouble);
      offset = at::zeros({span->size()}, options);
      sums = at::zeros({n, span->size()}, options);
    }
    void add(int64_t first, int64_t count, const at::Tensor& rows, const Columns& columns) {
      auto of_batch = at::zeros({rows.size(0), span->size()}, sums.options());
      of_batch.narrow(0, 0, count).copy_(sums.narrow(0, first, count));
      add_span_products(rows.narrow(1, columns.first, columns.width).to(at::kFloat), basis,
                        of_batch);
      sums.narrow(0, first, count).copy_(of_batch.narrow(0, 0, count));
    }
    at::Tensor coordinates() const { return sums.sub_(offset); }  // once all columns were added
  };

  void take_resident(const MemoryPlan::Step& step) {
    std::vector<std::string> names, wide;
    std::vector<Columns> all, all_wide;
    for (const auto layer : step.layers) {
      names.push_back(name(layer));
      all.push_back({0, features(layer)});
      if (!spanned(layer)) continue;
      wide.push_back(names.back());
      all_wide.push_back(all.back());
    }
    std::vector<InSpan> spans(names.size());
    if (!wide.empty()) {
      auto photos = columns_of(*reference_, wide, all_wide);
      reducing([&] {
        for (size_t i = 0, w = 0; i < names.size(); ++i) {
          if (!spanned(step.layers[i])) continue;
          check_stop();
          auto photo = std::move(photos[w++]);
          if (!finite(photo)) throw not_finite(step.layers[i], " on the reference photos");
          MatrixBlocks blocks(photo);
          spans[i].begin(blocks, screen_.size(), network_.device());
          spans[i].basis = spans[i].span->basis(photo, spans[i].offset);
        }
      });
    }
    std::vector<std::optional<KeptColumns>> kept(names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      if (!spans[i].span) kept[i].emplace(network_, screen_.size(), all[i]);
    }
    pass(screen_, names, [&](size_t i, int64_t first, int64_t count, const at::Tensor& rows) {
      if (spans[i].span) {
        spans[i].add(first, count, rows, all[i]);
      } else {
        kept[i]->keep(first, count, rows);
      }
    });
    reducing([&] {
      for (size_t i = 0; i < names.size(); ++i) {
        const auto values = kept[i] ? std::move(kept[i]->values) : spans[i].coordinates();
        spans[i] = {};
        MatrixBlocks blocks(values);
        reduce(step.layers[i], blocks, [&] { return finite(values); });
      }
    });
  }

  // First sweep: inner products of the reference, whose columns are let go. Then part by part: the
  // reference again, turned into columns of the basis, and the stimuli's products with those.
  void take_span_by_passes(const MemoryPlan::Step& step) {
    const auto layer = step.layers[0];
    InSpan in_span;
    ByPasses photos(*this, *reference_, layer, step.width);
    reducing([&] {
      in_span.begin(photos, screen_.size(), network_.device());
      for (int64_t begin = 0; begin < features(layer); begin += step.width) {
        const Columns part{begin, std::min(step.width, features(layer) - begin)};
        const auto columns = columns_of(*reference_, {name(layer)}, {part})[0];
        in_span.basis = in_span.span->basis(columns, in_span.offset);
        pass(screen_, {name(layer)},
             [&](size_t, int64_t first, int64_t count, const at::Tensor& rows) {
               in_span.add(first, count, rows, part);
             });
      }
      const auto coordinates = in_span.coordinates();
      MatrixBlocks blocks(coordinates);
      reduce(layer, blocks, [&] { return finite(coordinates); });
    });
  }

  const Network& network_;
  Screen& screen_;
  const std::vector<LayerWanted>& wanted_;
  const ExtractionLimits& limits_;
  ExtractionTimes& times_;
  Screen* reference_;
  int64_t lanes_ = 0;
  std::vector<std::pair<std::string, ReducedLayer>> reduced_;
};

}  // namespace

MemoryPlan plan_extraction(const Network& network,
                           int64_t n_presentations,
                           const std::vector<LayerWanted>& wanted,
                           const ExtractionLimits& limits,
                           int64_t n_reference) {
  std::vector<LayerToPlan> layers;
  std::vector<std::string> names;
  for (const auto& of_layer : wanted) {
    const int64_t n_features = network.layer(of_layer.layer).n_features();
    const bool spanned = n_reference > 0 && n_features > n_reference;
    LayerToPlan layer{of_layer.layer, n_features, spanned, true, {}, 0};
    for (const auto& reduction : of_layer.reductions) {
      const auto memory = reduction.memory(n_presentations, spanned ? n_reference : n_features);
      layer.by_columns = layer.by_columns && (reduction.by_columns || spanned);
      layer.reduced.kept += memory.kept;
      layer.in_step += memory.working;
      layer.reduced.working = std::max(layer.reduced.working, memory.working);
    }
    layer.in_step -= layer.reduced.working;
    layers.push_back(layer);
    names.push_back(of_layer.layer);
  }
  PlanLimits within;
  within.network = network.path();
  within.n_stimuli = n_presentations;
  within.n_reference = n_reference;
  // A recorded pass has memory of its own, beside that of the two runs that it was compared in.
  within.lane_bytes =
      network.working_bytes(network.micro_batch(), names) * (network.cuda_graphs() ? 3 : 1);
  // On a GPU micro-batches run one after another.
  within.most_lanes = network.device().is_cpu() ? thread_count() : 1;
  within.allowed_bytes = limits.memory_bytes;
  if (!limits.spill_folder.empty()) within.spill_bytes = free_bytes(limits.spill_folder);
  auto plan = plan_memory(layers, within);
  // What is left of the allowance may lie idle between micro-batches: fresh pages are dear.
  if (network.device().is_cpu())
    plan.bytes += std::min(within.allowed_bytes - plan.bytes, kMostIdleHostBytes);
  return plan;
}

std::vector<std::pair<std::string, ReducedLayer>> reduce_layers(
    const Network& network,
    Screen& screen,
    const std::vector<LayerWanted>& wanted,
    const ExtractionLimits& limits,
    ExtractionTimes& times,
    Screen* reference) {
  return Extraction(network, screen, wanted, limits, times, reference).run();
}

}  // namespace cortiscore
