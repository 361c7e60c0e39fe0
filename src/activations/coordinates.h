#pragma once
#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/model/network.h"
#include "src/stimuli/screen.h"

namespace cortiscore {

/// A layer's activations on n stimuli, as every mapping without scaling sees them.
struct LayerCoordinates {
  std::string layer;
  int64_t n_features = 0;
  at::Tensor
      values;  ///< [n, min(p, n)] float64: the activations, or coordinates with their inner products
};

/// Activations of one layer as coordinates. @param features [n, p]
LayerCoordinates coordinates_of(const std::string& layer, const at::Tensor& features);

struct ExtractionTimes {
  double forward_s = 0, reduce_s = 0;
  int64_t passes = 0;
  int64_t peak_bytes = 0;
};

/// Activations of `layers`, each reduced as soon as it is whole. Layers that do not fit into `budget_bytes` together
/// take several forward passes, which is announced; the same bits come out.
/// @throws Error(kOutOfMemory)  one layer alone exceeds the budget; kBadInput  NaN or infinity in a layer
std::vector<LayerCoordinates> extract_coordinates(const Network& network,
                                                  Screen& screen,
                                                  const std::vector<std::string>& layers,
                                                  int64_t budget_bytes,
                                                  ExtractionTimes& times);

}  // namespace cortiscore
