#include "src/ops/fused.h"

namespace cortiscore::fused {

std::optional<at::Tensor> pearson_columns(const at::Tensor& /*x*/, const at::Tensor& /*y*/) {
  return std::nullopt;
}

}  // namespace cortiscore::fused
