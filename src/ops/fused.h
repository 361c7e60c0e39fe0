#pragma once
#include <optional>

#include <ATen/core/Tensor.h>

#include "src/ops/top_vector.h"

/// Every fused path there is. Each returns nullopt (or false) where no kernel serves the device,
/// dtype, size or layout; the caller then composes ATen operations, which are the definition. The
/// build links fused_cuda.cpp or fused_none.cpp.
namespace cortiscore::fused {

std::optional<at::Tensor> pearson_columns(const at::Tensor& x,
                                          const at::Tensor& y,
                                          const std::optional<at::Tensor>& keep);
std::optional<TopVector> top_vector(const at::Tensor& g,
                                    const at::Tensor& start,
                                    const TopVectorOptions& options);
bool downdate(at::Tensor& s,
              const at::Tensor& c,
              const at::Tensor& x_mean,
              const at::Tensor& y_mean,
              const at::Tensor& n);
bool rank2_update(at::Tensor& g, const at::Tensor& u, const at::Tensor& h);
std::optional<at::Tensor> weighted_median(const at::Tensor& values, const at::Tensor& counts);
/// @param sums  [b, k >= 5, m] weighted sums of z, t, z^2, t^2, z t
std::optional<at::Tensor> pearson_epilogue(const at::Tensor& sums, const at::Tensor& total);
/// Fills `counts` [n_draws, n] (zeros on entry).
bool bootstrap_counts(uint64_t seed, int word, int64_t first, at::Tensor& counts);
std::optional<at::Tensor> split_half(const at::Tensor& c,
                                     const at::Tensor& in_first,
                                     const at::Tensor& noise);
/// @param sorted, order  what at::sort over the last dim gives
std::optional<at::Tensor> tie_ranks(const at::Tensor& sorted, const at::Tensor& order);
std::optional<at::Tensor> pack_triangle(const at::Tensor& matrices);

}  // namespace cortiscore::fused
