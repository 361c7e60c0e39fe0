#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "kernels/bootstrap.h"
#include "kernels/fold_updates.h"
#include "kernels/pearson_columns.h"
#include "kernels/ranks.h"
#include "kernels/top_vector.h"
#include "src/ops/fused.h"

namespace cortiscore::fused {
namespace {

constexpr double kMarginal = 1e-8;

struct Given {
  const at::Tensor& tensor;
  at::ScalarType type = at::kDouble;
};

// A kernel takes dense tensors of one CUDA device, float64 unless said, and has no backward: a
// score used as a loss must go through the ATen composition.
bool serves(std::initializer_list<Given> all) {
  const auto device = all.begin()->tensor.device();
  for (const auto& [t, type] : all) {
    if (!t.is_cuda() || t.device() != device) return false;
    if (!t.is_contiguous() || t.scalar_type() != type) return false;
    if (at::GradMode::is_enabled() && t.requires_grad()) return false;
  }
  return true;
}

cudaStream_t stream() {
  return c10::cuda::getCurrentCUDAStream();
}

template <typename T>
void launch_pearson(const at::Tensor& x, const at::Tensor& y, const bool* keep, at::Tensor& r) {
  C10_CUDA_CHECK(kernels::pearson_columns(x.const_data_ptr<T>(), y.const_data_ptr<T>(), keep,
                                          r.mutable_data_ptr<double>(), x.size(0), x.size(1),
                                          stream()));
}

}  // namespace

std::optional<at::Tensor> pearson_columns(const at::Tensor& x,
                                          const at::Tensor& y,
                                          const std::optional<at::Tensor>& keep) {
  const auto type = x.scalar_type();
  if ((type != at::kFloat && type != at::kDouble) || !serves({{x, type}, {y, type}}))
    return std::nullopt;
  if (keep && !serves({{x, type}, {*keep, at::kBool}})) return std::nullopt;
  const c10::cuda::CUDAGuard guard(x.device());
  auto r = at::empty({x.size(1)}, x.options().dtype(at::kDouble));
  const bool* const mask = keep ? keep->const_data_ptr<bool>() : nullptr;
  if (type == at::kFloat) {
    launch_pearson<float>(x, y, mask, r);
  } else {
    launch_pearson<double>(x, y, mask, r);
  }
  return r;
}

std::optional<TopVector> top_vector(const at::Tensor& g_any,
                                    const at::Tensor& start_any,
                                    const TopVectorOptions& options) {
  const auto g = g_any.contiguous();
  const auto start = start_any.contiguous();
  if (!serves({{g}, {start}}) || g.size(1) > kernels::kMostTopVectorRows) return std::nullopt;
  const c10::cuda::CUDAGuard guard(g.device());
  const int64_t f = g.size(0), m = g.size(1);
  TopVector out{at::empty({f, m}, g.options()), at::empty({f, m}, g.options()),
                at::empty({f}, g.options()), at::empty({f}, g.options().dtype(at::kLong)),
                at::empty({f}, g.options().dtype(at::kBool))};
  C10_CUDA_CHECK(kernels::top_vector(
      g.const_data_ptr<double>(), start.const_data_ptr<double>(), options.tol, options.max_iter,
      kMarginal, out.v.mutable_data_ptr<double>(), out.gv.mutable_data_ptr<double>(),
      out.rayleigh.mutable_data_ptr<double>(), out.iterations.mutable_data_ptr<int64_t>(),
      out.marginal.mutable_data_ptr<bool>(), f, m, stream()));
  return out;
}

bool downdate(at::Tensor& s,
              const at::Tensor& c,
              const at::Tensor& x_mean,
              const at::Tensor& y_mean,
              const at::Tensor& n) {
  if (!serves({{s}, {c}, {x_mean}, {y_mean}, {n}})) return false;
  const c10::cuda::CUDAGuard guard(s.device());
  C10_CUDA_CHECK(kernels::downdate(s.mutable_data_ptr<double>(), c.const_data_ptr<double>(),
                                   x_mean.const_data_ptr<double>(), y_mean.const_data_ptr<double>(),
                                   n.const_data_ptr<double>(), s.size(0), s.size(1), s.size(2),
                                   stream()));
  return true;
}

bool rank2_update(at::Tensor& g, const at::Tensor& u, const at::Tensor& h) {
  if (!serves({{g}, {u}, {h}})) return false;
  const c10::cuda::CUDAGuard guard(g.device());
  C10_CUDA_CHECK(kernels::rank2_update(g.mutable_data_ptr<double>(), u.const_data_ptr<double>(),
                                       h.const_data_ptr<double>(), g.size(0), g.size(1), stream()));
  return true;
}

std::optional<at::Tensor> weighted_median(const at::Tensor& values_any,
                                          const at::Tensor& counts_any) {
  const auto values = values_any.contiguous();
  const auto counts = counts_any.contiguous();
  if (!serves({{values}, {counts}}) || values.size(2) > kernels::kMostMedianEntries)
    return std::nullopt;
  const c10::cuda::CUDAGuard guard(values.device());
  const int64_t b = std::max(values.size(0), counts.size(0));
  auto median = at::empty({b, values.size(1)}, values.options());
  C10_CUDA_CHECK(
      kernels::weighted_median(values.const_data_ptr<double>(), counts.const_data_ptr<double>(),
                               median.mutable_data_ptr<double>(), values.size(0), counts.size(0), b,
                               values.size(1), values.size(2), stream()));
  return median;
}

std::optional<at::Tensor> pearson_epilogue(const at::Tensor& sums, const at::Tensor& total_any) {
  const auto total = total_any.contiguous();
  if (!serves({{sums}, {total}})) return std::nullopt;
  const c10::cuda::CUDAGuard guard(sums.device());
  auto r = at::empty({sums.size(0), sums.size(2)}, sums.options());
  C10_CUDA_CHECK(kernels::pearson_epilogue(
      sums.const_data_ptr<double>(), total.const_data_ptr<double>(), r.mutable_data_ptr<double>(),
      sums.size(0), sums.size(1), sums.size(2), stream()));
  return r;
}

bool bootstrap_counts(uint64_t seed, int word, int64_t first, at::Tensor& counts) {
  if (!serves({{counts}})) return false;
  const c10::cuda::CUDAGuard guard(counts.device());
  C10_CUDA_CHECK(kernels::bootstrap_counts(seed, word, first, counts.mutable_data_ptr<double>(),
                                           counts.size(0), counts.size(1), stream()));
  return true;
}

std::optional<at::Tensor> split_half(const at::Tensor& c,
                                     const at::Tensor& in_first,
                                     const at::Tensor& noise) {
  if (!serves({{c}, {noise}, {in_first, at::kByte}}) || c.size(1) > kernels::kMostRepetitions)
    return std::nullopt;
  const c10::cuda::CUDAGuard guard(c.device());
  auto r = at::empty({in_first.size(0), c.size(0)}, c.options());
  C10_CUDA_CHECK(kernels::split_half(c.const_data_ptr<double>(), in_first.const_data_ptr<uint8_t>(),
                                     noise.const_data_ptr<double>(), r.mutable_data_ptr<double>(),
                                     in_first.size(0), c.size(1), c.size(0), stream()));
  return r;
}

std::optional<at::Tensor> tie_ranks(const at::Tensor& sorted, const at::Tensor& order) {
  if (!serves({{sorted}, {order, at::kLong}})) return std::nullopt;
  const c10::cuda::CUDAGuard guard(sorted.device());
  auto ranks = at::empty_like(sorted);
  const int64_t n = sorted.size(-1);
  C10_CUDA_CHECK(kernels::tie_ranks(
      sorted.const_data_ptr<double>(), order.const_data_ptr<int64_t>(),
      ranks.mutable_data_ptr<double>(), n ? sorted.numel() / n : 0, n, stream()));
  return ranks;
}

std::optional<at::Tensor> pack_triangle(const at::Tensor& matrices) {
  if (!serves({{matrices}})) return std::nullopt;
  const c10::cuda::CUDAGuard guard(matrices.device());
  const int64_t n = matrices.size(-1);
  auto sizes = matrices.sizes().vec();
  sizes.pop_back();
  sizes.back() = n * (n - 1) / 2;
  auto packed = at::empty(sizes, matrices.options());
  C10_CUDA_CHECK(kernels::pack_triangle(matrices.const_data_ptr<double>(),
                                        packed.mutable_data_ptr<double>(),
                                        n ? matrices.numel() / (n * n) : 0, n, stream()));
  return packed;
}

}  // namespace cortiscore::fused
