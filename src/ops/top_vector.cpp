#include "src/ops/top_vector.h"

#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/parallel.h"
#include "src/core/simd.h"
#include "src/ops/fused.h"

namespace cortiscore {
namespace {

constexpr double kMarginal = 1e-8;

TopVector empty_result(const at::Tensor& g) {
  const int64_t f = g.size(0);
  const int64_t m = g.size(1);
  return {at::zeros({f, m}, g.options()), at::zeros({f, m}, g.options()),
          at::zeros({f}, g.options()), at::zeros({f}, g.options().dtype(at::kLong)),
          at::zeros({f}, g.options().dtype(at::kBool))};
}

TopVector eigenvector(const at::Tensor& g) {
  auto result = empty_result(g);
  const auto [values, vectors] = at::linalg_eigh(g);
  result.v = vectors.select(2, g.size(2) - 1).contiguous();
  result.gv = at::bmm(g, result.v.unsqueeze(2)).squeeze(2);
  result.rayleigh = (result.v * result.gv).sum(1);
  return result;
}

// out = G v for symmetric G [m, m], eight columns at a time: adds in a fixed order, so the compiler may vectorise
// over rows without reassociating anything.
CORTISCORE_SIMD void symmetric_matvec(const double* __restrict g,
                                      int64_t m,
                                      const double* __restrict v,
                                      double* __restrict out) {
  for (int64_t i = 0; i < m; ++i) out[i] = 0;
  int64_t j = 0;
  for (; j + 8 <= m; j += 8) {
    const double* a = g + j * m;
    const double x0 = v[j], x1 = v[j + 1], x2 = v[j + 2], x3 = v[j + 3];
    const double x4 = v[j + 4], x5 = v[j + 5], x6 = v[j + 6], x7 = v[j + 7];
    for (int64_t i = 0; i < m; ++i) {
      out[i] += ((a[i] * x0 + a[i + m] * x1) + (a[i + 2 * m] * x2 + a[i + 3 * m] * x3)) +
                ((a[i + 4 * m] * x4 + a[i + 5 * m] * x5) + (a[i + 6 * m] * x6 + a[i + 7 * m] * x7));
    }
  }
  for (; j < m; ++j) {
    const double* a = g + j * m;
    for (int64_t i = 0; i < m; ++i) out[i] += a[i] * v[j];
  }
}

// Eight running sums: a fixed order that fills the vector units.
CORTISCORE_SIMD double dot(const double* __restrict a, const double* __restrict b, int64_t m) {
  double s[8] = {};
  int64_t i = 0;
  for (; i + 8 <= m; i += 8) {
    for (int64_t k = 0; k < 8; ++k) s[k] += a[i + k] * b[i + k];
  }
  double tail = 0;
  for (; i < m; ++i) tail += a[i] * b[i];
  return (((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))) + tail;
}

struct Stopped {
  double rayleigh;
  int64_t iterations;
  bool marginal;
};

Stopped power_loop(const double* g,
                   int64_t m,
                   const double* start,
                   const TopVectorOptions& options,
                   double* v,
                   double* gv) {
  std::vector<double> buffer(static_cast<size_t>(2 * m));
  double* const v_old = buffer.data();
  double* const gv_old = buffer.data() + m;
  for (int64_t i = 0; i < m; ++i) v_old[i] = start[i];
  symmetric_matvec(g, m, v_old, gv_old);
  double a_old = dot(v_old, gv_old, m);
  const auto finish = [&](double a, int64_t iterations, bool marginal) {
    return Stopped{a, iterations, marginal};
  };
  for (int64_t i = 0; i < m; ++i) v[i] = v_old[i], gv[i] = gv_old[i];
  if (m == 1 || options.max_iter == 1) return finish(a_old, 1, false);
  for (int64_t iteration = 2;; ++iteration) {
    const double norm = std::sqrt(dot(gv_old, gv_old, m));
    if (!(norm > 0)) return finish(0, iteration, false);  // nothing is left to explain
    for (int64_t i = 0; i < m; ++i) v[i] = gv_old[i] / norm;
    symmetric_matvec(g, m, v, gv);
    const double a = dot(v, gv, m);
    const double scale = 1 / std::sqrt(a);
    const double scale_old = 1 / std::sqrt(a_old);
    double d2 = 0;
    for (int64_t i = 0; i < m; ++i) {
      d2 += (v[i] * scale - v_old[i] * scale_old) * (gv[i] * scale - gv_old[i] * scale_old);
    }
    if (d2 < options.tol || iteration == options.max_iter) {
      return finish(a, iteration, std::abs(d2 - options.tol) < kMarginal * options.tol);
    }
    for (int64_t i = 0; i < m; ++i) v_old[i] = v[i], gv_old[i] = gv[i];
    a_old = a;
  }
}

}  // namespace

TopVectorMode top_vector_mode(const std::string& name) {
  if (name == "sklearn") return TopVectorMode::kSklearn;
  if (name == "exact") return TopVectorMode::kExact;
  throw Error(ErrorKind::kUsage, "mode: found \"" + name + "\", expected sklearn or exact.");
}

TopVector top_vector(const at::Tensor& g,
                     const at::Tensor& start,
                     const TopVectorOptions& options) {
  if (options.mode == TopVectorMode::kExact) return top_vector_definition(g, start, options);
  if (auto fused = fused::top_vector(g, start, options)) return *fused;
  if (!g.is_cpu()) return top_vector_definition(g, start, options);
  const auto packed = g.contiguous();
  const auto from = start.contiguous();
  auto result = empty_result(packed);
  const int64_t m = packed.size(1);
  parallel_for(packed.size(0), [&](int64_t f) {
    const auto stopped = power_loop(packed.const_data_ptr<double>() + f * m * m, m,
                                    from.const_data_ptr<double>() + f * m, options,
                                    result.v.mutable_data_ptr<double>() + f * m,
                                    result.gv.mutable_data_ptr<double>() + f * m);
    result.rayleigh.mutable_data_ptr<double>()[f] = stopped.rayleigh;
    result.iterations.mutable_data_ptr<int64_t>()[f] = stopped.iterations;
    result.marginal.mutable_data_ptr<bool>()[f] = stopped.marginal;
  });
  return result;
}

TopVector top_vector_definition(const at::Tensor& g,
                                const at::Tensor& start,
                                const TopVectorOptions& options) {
  if (options.mode == TopVectorMode::kExact) return eigenvector(g);
  const int64_t f = g.size(0);
  const int64_t m = g.size(1);
  auto result = empty_result(g);
  const auto multiply = [&](const at::Tensor& x) { return at::bmm(g, x.unsqueeze(2)).squeeze(2); };
  result.v = start.clone();
  result.gv = multiply(result.v);
  result.rayleigh = (result.v * result.gv).sum(1);
  result.iterations.fill_(1);
  if (m == 1 || options.max_iter == 1) return result;
  // No early exit: asking the device whether all have stopped would be a synchronisation a step.
  auto running = at::ones({f}, g.options().dtype(at::kBool));
  for (int64_t iteration = 2; iteration <= options.max_iter; ++iteration) {
    const auto norm = at::linalg_vector_norm(result.gv, 2, {1});
    running = running & (norm > 0);
    const auto v = result.gv / norm.clamp_min(1e-300).unsqueeze(1);
    const auto gv = multiply(v);
    const auto a = (v * gv).sum(1);
    const auto scale = a.rsqrt().unsqueeze(1);
    const auto scale_old = result.rayleigh.rsqrt().unsqueeze(1);
    const auto d2 =
        ((v * scale - result.v * scale_old) * (gv * scale - result.gv * scale_old)).sum(1);
    const auto keep = running.unsqueeze(1);
    result.v = at::where(keep, v, result.v);
    result.gv = at::where(keep, gv, result.gv);
    result.rayleigh = at::where(running, a, result.rayleigh);
    result.iterations = at::where(running, iteration, result.iterations);
    result.marginal =
        at::where(running, (d2 - options.tol).abs() < kMarginal * options.tol, result.marginal);
    running = running & (d2 >= options.tol);
  }
  return result;
}

}  // namespace cortiscore
