#include "src/ops/fused.h"

namespace cortiscore::fused {

std::optional<at::Tensor> pearson_columns(const at::Tensor& /*x*/, const at::Tensor& /*y*/) {
  return std::nullopt;
}

std::optional<at::Tensor> weighted_median(const at::Tensor& /*values*/,
                                          const at::Tensor& /*counts*/) {
  return std::nullopt;
}

std::optional<at::Tensor> pearson_epilogue(const at::Tensor& /*sums*/,
                                           const at::Tensor& /*total*/) {
  return std::nullopt;
}

bool bootstrap_counts(uint64_t /*seed*/, int /*word*/, int64_t /*first*/, at::Tensor& /*counts*/) {
  return false;
}

}  // namespace cortiscore::fused
