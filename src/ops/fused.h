#pragma once
#include <optional>

#include <ATen/core/Tensor.h>

/// Every fused path there is. Each returns nullopt where no kernel serves the device, dtype or layout; the caller
/// then composes ATen operations, which are the definition. The build links fused_cuda.cpp or fused_none.cpp.
namespace cortiscore::fused {

std::optional<at::Tensor> pearson_columns(const at::Tensor& x, const at::Tensor& y);
std::optional<at::Tensor> weighted_median(const at::Tensor& values, const at::Tensor& counts);
/// @param sums  [b, k >= 5, m] weighted sums of z, t, z^2, t^2, z t
std::optional<at::Tensor> pearson_epilogue(const at::Tensor& sums, const at::Tensor& total);
/// Fills `counts` [n_draws, n] (zeros on entry) and says whether it did.
bool bootstrap_counts(uint64_t seed, int word, int64_t first, at::Tensor& counts);

}  // namespace cortiscore::fused
