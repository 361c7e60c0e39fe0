#include "src/ops/fused.h"

namespace cortiscore::fused {

std::optional<at::Tensor> pearson_columns(const at::Tensor& /*x*/,
                                          const at::Tensor& /*y*/,
                                          const std::optional<at::Tensor>& /*keep*/) {
  return std::nullopt;
}

std::optional<TopVector> top_vector(const at::Tensor& /*g*/,
                                    const at::Tensor& /*start*/,
                                    const TopVectorOptions& /*options*/) {
  return std::nullopt;
}

bool downdate(at::Tensor& /*s*/,
              const at::Tensor& /*c*/,
              const at::Tensor& /*x_mean*/,
              const at::Tensor& /*y_mean*/,
              const at::Tensor& /*n*/) {
  return false;
}

bool rank2_update(at::Tensor& /*g*/, const at::Tensor& /*u*/, const at::Tensor& /*h*/) {
  return false;
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

std::optional<at::Tensor> split_half(const at::Tensor& /*c*/,
                                     const at::Tensor& /*in_first*/,
                                     const at::Tensor& /*noise*/) {
  return std::nullopt;
}

std::optional<at::Tensor> tie_ranks(const at::Tensor& /*sorted*/, const at::Tensor& /*order*/) {
  return std::nullopt;
}

std::optional<at::Tensor> pack_triangle(const at::Tensor& /*matrices*/) {
  return std::nullopt;
}

}  // namespace cortiscore::fused
