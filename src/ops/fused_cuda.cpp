#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "kernels/pearson_columns.h"
#include "src/ops/fused.h"

namespace cortiscore::fused {

std::optional<at::Tensor> pearson_columns(const at::Tensor& x, const at::Tensor& y) {
  if (!x.is_cuda() || !x.is_contiguous() || !y.is_contiguous()) return std::nullopt;
  // The kernel has no backward: a score used as a loss must go through the ATen composition.
  if (at::GradMode::is_enabled() && (x.requires_grad() || y.requires_grad())) return std::nullopt;
  const c10::cuda::CUDAGuard device_guard(x.device());
  auto r = at::empty({x.size(1)}, x.options().dtype(at::kDouble));
  const auto stream = c10::cuda::getCurrentCUDAStream();
  if (x.scalar_type() == at::kFloat && y.scalar_type() == at::kFloat) {
    C10_CUDA_CHECK(kernels::pearson_columns(x.const_data_ptr<float>(), y.const_data_ptr<float>(),
                                            nullptr, r.mutable_data_ptr<double>(), x.size(0),
                                            x.size(1), stream));
  } else if (x.scalar_type() == at::kDouble && y.scalar_type() == at::kDouble) {
    C10_CUDA_CHECK(kernels::pearson_columns(x.const_data_ptr<double>(), y.const_data_ptr<double>(),
                                            nullptr, r.mutable_data_ptr<double>(), x.size(0),
                                            x.size(1), stream));
  } else {
    return std::nullopt;
  }
  return r;
}

}  // namespace cortiscore::fused
