#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/activations/extract.h"
#include "src/activations/memory_plan.h"
#include "src/linalg/feature_blocks.h"
#include "src/model/network.h"
#include "src/stimuli/screen.h"

namespace cortiscore {

/// What is kept of a layer's activations [n, p]: all that a metric looks at, and no more.
using Reduction = std::function<at::Tensor(FeatureBlocks&)>;

/// A reduction, what it is called among those of one layer, and what it takes.
struct NamedReduction {
  std::string name;
  Reduction reduce;
  std::function<ReductionMemory(int64_t n, int64_t p)> memory;
  bool by_columns = true;  ///< no more than some columns are needed at a time
};

/// A layer and all that is kept of it.
struct LayerWanted {
  std::string layer;
  std::vector<NamedReduction> reductions;
};

/// Activations as they are, for what looks at single features of all stimuli.
NamedReduction all_activations();

/// For mappings without scaling: [n, min(p, n)] float64, the activations or coordinates with their
/// inner products.
at::Tensor coordinates_of(FeatureBlocks& activations);
ReductionMemory coordinates_memory(int64_t n, int64_t p);

/// A layer's activations on n stimuli, reduced.
struct ReducedLayer {
  std::string layer;
  int64_t n_features = 0;  ///< of the layer
  at::Tensor values;
};

struct ExtractionTimes {
  double forward_s = 0, reduce_s = 0;
  PassSeconds pass;  ///< what forward_s went to
  int64_t passes = 0;
  int64_t planned_bytes =
      0;  ///< what plans have counted on at most: of passes under way, activations, what becomes of
          ///< them
  int64_t process_bytes =
      0;  ///< of the process before the first pass: libraries, weights, recordings
  int64_t stimulus_bytes = 0;  ///< of decoded stimuli that stay, beside that
  int64_t spilled_bytes = 0;   ///< written to disk
};

/// What extraction may take.
struct ExtractionLimits {
  int64_t memory_bytes = 0;  ///< of passes under way, activations and what becomes of them
  std::string spill_folder;  ///< for layers that do not fit; empty: they take several passes
};

/// How reduce_layers will go about it on n presentations: the same plan every time.
/// @param n_reference  0: none
MemoryPlan plan_extraction(const Network& network,
                           int64_t n_presentations,
                           const std::vector<LayerWanted>& wanted,
                           const ExtractionLimits& limits,
                           int64_t n_reference = 0);

/// Activations of layers, each reduced in every way wanted as soon as it is whole. Layers that do
/// not fit into memory together take several forward passes; one that does not fit by itself is
/// spilled, or takes several. Either is announced, and the same bits come out
/// (src/activations/memory_plan.h).
/// @param reference  stimuli in whose span a layer with more features than those is kept, as its
///   coordinates, from the micro-batch on (src/linalg/span.h): memory holds the layer on the
///   reference stimuli, and not on `screen`
/// @return the name of the reduction and what it gave, in the order asked for
/// @throws Error(kOutOfMemory)  what plan_memory() throws; kBadInput  NaN or infinity in a layer
std::vector<std::pair<std::string, ReducedLayer>> reduce_layers(
    const Network& network,
    Screen& screen,
    const std::vector<LayerWanted>& wanted,
    const ExtractionLimits& limits,
    ExtractionTimes& times,
    Screen* reference = nullptr);

}  // namespace cortiscore
