#pragma once
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/model/network.h"

namespace cortiscore {

/// A forward pass over one micro-batch, whose launches were recorded once as CUDA graphs, one up to
/// each layer asked for, and are started again for every micro-batch: one call a layer instead of
/// several an operator. What is kept of a layer runs between two of them, as it does between
/// operators otherwise, so a layer's memory is free for the next here as well.
class MicroBatchGraph {
 public:
  /// Runs the network as it is, records it, runs the recording on the same images and compares
  /// every bit of every layer.
  /// @param images  [network.micro_batch(), 3, N, N] float32 on the network's CUDA device
  /// @return nothing, and a line in the log that says why, where an operator cannot be recorded (it
  ///   asks the device), the recording gives other bits, or the build has no CUDA
  static std::unique_ptr<MicroBatchGraph> record(const Network& network,
                                                 const std::vector<std::string>& layers,
                                                 const at::Tensor& images);

  virtual ~MicroBatchGraph() = default;

  /// As Network::run, on images of the shape that was recorded.
  virtual void run(const at::Tensor& images, const Network::Tap& tap) = 0;
};

}  // namespace cortiscore
