#pragma once
#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/model/network.h"
#include "src/stimuli/screen.h"

namespace cortiscore {

/// What is kept of a layer's activations [n, p]: all that a metric looks at, and no more.
using Reduction = std::function<at::Tensor(const at::Tensor&)>;

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
  int64_t passes = 0;
  int64_t peak_bytes = 0;
};

/// Activations of `layers`, each reduced as soon as it is whole. Layers that do not fit into `budget_bytes` together
/// take several forward passes, which is announced; the same bits come out.
/// @throws Error(kOutOfMemory)  one layer alone exceeds the budget; kBadInput  NaN or infinity in a layer
std::vector<ReducedLayer> reduce_layers(const Network& network,
                                        Screen& screen,
                                        const std::vector<std::string>& layers,
                                        const Reduction& reduction,
                                        int64_t budget_bytes,
                                        ExtractionTimes& times);

}  // namespace cortiscore
