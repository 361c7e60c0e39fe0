#pragma once
#include <optional>

#include <ATen/core/Tensor.h>

/// Every fused path there is. Each returns nullopt where no kernel serves the device, dtype or layout; the caller
/// then composes ATen operations, which are the definition. The build links fused_cuda.cpp or fused_none.cpp.
namespace cortiscore::fused {

std::optional<at::Tensor> pearson_columns(const at::Tensor& x, const at::Tensor& y);

}  // namespace cortiscore::fused
