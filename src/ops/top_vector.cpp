#include "src/ops/top_vector.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/counted_work.h"
#include "src/core/parallel.h"
#include "src/core/simd.h"
#include "src/ops/fused.h"

namespace cortiscore {

TopVector empty_top_vector(const at::Tensor& g) {
  const int64_t f = g.size(0);
  const int64_t m = g.size(1);
  return {at::zeros({f, m}, g.options()), at::zeros({f, m}, g.options()),
          at::zeros({f}, g.options()), at::zeros({f}, g.options().dtype(at::kLong)),
          at::zeros({f}, g.options().dtype(at::kBool))};
}

namespace {

constexpr double kMarginal = 1e-8;

TopVector eigenvector(const at::Tensor& g) {
  auto result = empty_top_vector(g);
  const auto [values, vectors] = at::linalg_eigh(g);
  result.v = vectors.select(2, g.size(2) - 1).contiguous();
  result.gv = at::bmm(g, result.v.unsqueeze(2)).squeeze(2);
  result.rayleigh = (result.v * result.gv).sum(1);
  return result;
}

// What follows works on sizes that are padded with zeros to whole vectors, so that no loop has a
// remainder.
constexpr int64_t kLanes = 8;

// out = G v for symmetric G [m, m] from the rows on and below its diagonal, four at a time: what is
// read serves both halves. Adds in a fixed order, so the compiler may vectorise without
// reassociating anything.
CORTISCORE_INLINE void symmetric_matvec(const double* __restrict g,
                                        int64_t m,
                                        const double* __restrict v,
                                        double* __restrict out) {
  constexpr int64_t kRows = 4;
  for (int64_t i = 0; i < m; ++i) out[i] = 0;
  for (int64_t j = 0; j < m; j += kRows) {
    const double* const a = g + j * m;
    const double x0 = v[j], x1 = v[j + 1], x2 = v[j + 2], x3 = v[j + 3];
    // Whole vectors left of the block on the diagonal; its own rows and columns are summed from the
    // full block.
    const int64_t before = j / kLanes * kLanes;
    double s[kRows][kLanes] = {};
    for (int64_t i = 0; i < before; i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k) {
        const double a0 = a[i + k], a1 = a[m + i + k], a2 = a[2 * m + i + k], a3 = a[3 * m + i + k];
        const double w = v[i + k];
        s[0][k] += a0 * w;
        s[1][k] += a1 * w;
        s[2][k] += a2 * w;
        s[3][k] += a3 * w;
        out[i + k] += (a0 * x0 + a1 * x1) + (a2 * x2 + a3 * x3);
      }
    }
    const int64_t after = before + kLanes;
    for (int64_t r = 0; r < kRows; ++r) {
      double near = 0;
      for (int64_t i = before; i < after; ++i) near += a[r * m + i] * v[i];
      out[j + r] += (((s[r][0] + s[r][1]) + (s[r][2] + s[r][3])) +
                     ((s[r][4] + s[r][5]) + (s[r][6] + s[r][7]))) +
                    near;
    }
  }
}

// Eight running sums: a fixed order that fills the vector units.
CORTISCORE_INLINE double dot(const double* __restrict a, const double* __restrict b, int64_t m) {
  double s[kLanes] = {};
  for (int64_t i = 0; i < m; i += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) s[k] += a[i + k] * b[i + k];
  }
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

struct Iterate {
  double *v, *gv;
  double rayleigh;
  int64_t iterations;
  bool marginal;
};

// @param g  [m, m], m a multiple of eight  @param now  v holds where to start  @param before,
//           change  room for vectors
CORTISCORE_SIMD Iterate power_loop(const double* __restrict g,
                                   int64_t m,
                                   Iterate now,
                                   Iterate before,
                                   Iterate change,
                                   double tol,
                                   int64_t max_iter) {
  symmetric_matvec(g, m, now.v, now.gv);
  now.rayleigh = dot(now.v, now.gv, m);
  for (now.iterations = 1; now.iterations < max_iter;) {
    const double norm = std::sqrt(dot(now.gv, now.gv, m));
    if (!(norm > 0)) {  // nothing is left to explain
      now.rayleigh = 0;
      ++now.iterations;
      return now;
    }
    const int64_t iterations = now.iterations + 1;
    std::swap(now, before);
    for (int64_t i = 0; i < m; ++i) now.v[i] = before.gv[i] / norm;
    symmetric_matvec(g, m, now.v, now.gv);
    now.rayleigh = dot(now.v, now.gv, m);
    now.iterations = iterations;
    const double scale = 1 / std::sqrt(now.rayleigh);
    const double scale_before = 1 / std::sqrt(before.rayleigh);
    for (int64_t i = 0; i < m; ++i) {
      change.v[i] = now.v[i] * scale - before.v[i] * scale_before;
      change.gv[i] = now.gv[i] * scale - before.gv[i] * scale_before;
    }
    const double d2 = dot(change.v, change.gv, m);
    now.marginal = std::abs(d2 - tol) < kMarginal * tol;
    if (d2 < tol) return now;
  }
  return now;
}

}  // namespace

TopVectorMode top_vector_mode(const std::string& name) {
  if (name == "sklearn") return TopVectorMode::kSklearn;
  if (name == "exact") return TopVectorMode::kExact;
  throw Error(ErrorKind::kUsage, "mode: found \"" + name + "\", expected sklearn or exact.");
}

void power_iterate_fold(const at::Tensor& g,
                        const at::Tensor& start,
                        const TopVectorOptions& options,
                        int64_t f,
                        TopVector& result) {
  const int64_t m = g.size(1);
  const int64_t padded = (m + kLanes - 1) / kLanes * kLanes;
  std::vector<double> room(static_cast<size_t>(6 * padded)), padded_g;
  const double* matrix = g.const_data_ptr<double>() + f * m * m;
  if (padded != m) {
    padded_g.resize(static_cast<size_t>(padded * padded));
    for (int64_t i = 0; i < m; ++i)
      std::copy(matrix + i * m, matrix + (i + 1) * m, padded_g.data() + i * padded);
    matrix = padded_g.data();
  }
  const auto vectors = [&](int64_t i) {
    double* const first = room.data() + 2 * i * padded;
    return Iterate{first, first + padded, 0, 0, false};
  };
  const double* const first = start.const_data_ptr<double>() + f * m;
  std::copy(first, first + m, vectors(0).v);
  const auto top = power_loop(matrix, padded, vectors(0), vectors(1), vectors(2), options.tol,
                              m == 1 ? 1 : options.max_iter);
  const double entries = static_cast<double>(m * m);
  count_work(2 * entries * static_cast<double>(top.iterations), 8 * entries);
  std::copy(top.v, top.v + m, result.v.mutable_data_ptr<double>() + f * m);
  std::copy(top.gv, top.gv + m, result.gv.mutable_data_ptr<double>() + f * m);
  result.rayleigh.mutable_data_ptr<double>()[f] = top.rayleigh;
  result.iterations.mutable_data_ptr<int64_t>()[f] = top.iterations;
  result.marginal.mutable_data_ptr<bool>()[f] = top.marginal;
}

TopVector top_vector(const at::Tensor& g,
                     const at::Tensor& start,
                     const TopVectorOptions& options) {
  if (options.mode == TopVectorMode::kExact) return top_vector_definition(g, start, options);
  if (auto fused = fused::top_vector(g, start, options)) return *fused;
  if (!g.is_cpu()) return top_vector_definition(g, start, options);
  const auto packed = g.contiguous();
  const auto from = start.contiguous();
  auto result = empty_top_vector(packed);
  parallel_for(packed.size(0),
               [&](int64_t f) { power_iterate_fold(packed, from, options, f, result); });
  return result;
}

TopVector top_vector_definition(const at::Tensor& g,
                                const at::Tensor& start,
                                const TopVectorOptions& options) {
  if (options.mode == TopVectorMode::kExact) return eigenvector(g);
  const int64_t f = g.size(0);
  const int64_t m = g.size(1);
  auto result = empty_top_vector(g);
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
