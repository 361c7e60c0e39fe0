#include "src/activations/micro_batch_graph.h"

namespace cortiscore {

std::unique_ptr<MicroBatchGraph> MicroBatchGraph::record(const Network& /*network*/,
                                                         const std::vector<std::string>& /*layers*/,
                                                         const at::Tensor& /*images*/) {
  return nullptr;  // without CUDA no network is on a CUDA device
}

}  // namespace cortiscore
