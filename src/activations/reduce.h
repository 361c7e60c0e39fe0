#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/activations/extract.h"
#include "src/model/network.h"
#include "src/stimuli/screen.h"

namespace cortiscore {

/// What is kept of a layer's activations [n, p]: all that a metric looks at, and no more.
using Reduction = std::function<at::Tensor(const at::Tensor&)>;

/// A reduction, and what it is called among those of one layer.
struct NamedReduction {
  std::string name;
  Reduction reduce;
};

/// A layer and all that is kept of it.
struct LayerWanted {
  std::string layer;
  std::vector<NamedReduction> reductions;
};

/// For mappings without scaling: [n, min(p, n)] float64, the activations or coordinates with their inner products.
at::Tensor coordinates_of(const at::Tensor& activations);

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
  int64_t peak_bytes = 0;
};

/// Activations of layers, each reduced in every way wanted as soon as it is whole. Layers that do not fit into
/// `budget_bytes` together take several forward passes, which is announced; the same bits come out.
/// @param reference  stimuli in whose span a layer with more features than those is kept, as its coordinates, from the
///   micro-batch on (src/linalg/span.h): memory holds the layer on the reference stimuli, and not on `screen`
/// @return the name of the reduction and what it gave, in the order asked for
/// @throws Error(kOutOfMemory)  one layer alone exceeds the budget; kBadInput  NaN or infinity in a layer
std::vector<std::pair<std::string, ReducedLayer>> reduce_layers(
    const Network& network,
    Screen& screen,
    const std::vector<LayerWanted>& wanted,
    int64_t budget_bytes,
    ExtractionTimes& times,
    Screen* reference = nullptr);

}  // namespace cortiscore
