#include "src/ops/batched.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/core/simd.h"

namespace cortiscore {
namespace {

// MKL's matrix-vector product runs generic code on processors that are not Intel's, at a third of what memory gives. All
// loops below add in an order that depends on sizes alone.

constexpr int64_t kLanes = 8;

// Four rows of a (row stride `lda`) times v, eight running sums each.
CORTISCORE_SIMD void four_dots(const double* __restrict a,
                               int64_t lda,
                               const double* __restrict v,
                               int64_t n,
                               double* __restrict out) {
  double s[4][kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) {
      s[0][k] += a[j + k] * v[j + k];
      s[1][k] += a[lda + j + k] * v[j + k];
      s[2][k] += a[2 * lda + j + k] * v[j + k];
      s[3][k] += a[3 * lda + j + k] * v[j + k];
    }
  }
  for (int64_t r = 0; r < 4; ++r) {
    double tail = 0;
    for (int64_t i = j; i < n; ++i) tail += a[r * lda + i] * v[i];
    out[r] = (((s[r][0] + s[r][1]) + (s[r][2] + s[r][3])) +
              ((s[r][4] + s[r][5]) + (s[r][6] + s[r][7]))) +
             tail;
  }
}

// out += sum of four rows of a, weighted by w.
CORTISCORE_SIMD void add_four_rows(const double* __restrict a,
                                   int64_t lda,
                                   const double* __restrict w,
                                   int64_t n,
                                   double* __restrict out) {
  const double w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
  const double* const b = a + lda;
  const double* const c = a + 2 * lda;
  const double* const d = a + 3 * lda;
  for (int64_t j = 0; j < n; ++j) out[j] += (w0 * a[j] + w1 * b[j]) + (w2 * c[j] + w3 * d[j]);
}

CORTISCORE_SIMD double one_dot(const double* __restrict a, const double* __restrict v, int64_t n) {
  double s[kLanes] = {};
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) s[k] += a[j + k] * v[j + k];
  }
  double tail = 0;
  for (; j < n; ++j) tail += a[j] * v[j];
  return (((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))) + tail;
}

CORTISCORE_SIMD void add_one_row(const double* __restrict a,
                                 double w,
                                 int64_t n,
                                 double* __restrict out) {
  for (int64_t j = 0; j < n; ++j) out[j] += w * a[j];
}

void matvec(const double* a, int64_t lda, const double* v, int64_t m, int64_t n, double* out) {
  int64_t i = 0;
  for (; i + 4 <= m; i += 4) four_dots(a + i * lda, lda, v, n, out + i);
  for (; i < m; ++i) out[i] = one_dot(a + i * lda, v, n);
}

void vecmat(const double* a, int64_t lda, const double* w, int64_t m, int64_t n, double* out) {
  std::fill(out, out + n, 0.0);
  int64_t i = 0;
  for (; i + 4 <= m; i += 4) add_four_rows(a + i * lda, lda, w + i, n, out);
  for (; i < m; ++i) add_one_row(a + i * lda, w[i], n, out);
}

// Rows side by side in memory, float64, on the CPU.
bool plain(const at::Tensor& a) {
  return a.is_cpu() && a.scalar_type() == at::kDouble && a.stride(2) == 1;
}

}  // namespace

at::Tensor batched_matvec(const at::Tensor& a, const at::Tensor& v) {
  if (!plain(a)) return at::bmm(a, v.unsqueeze(2)).squeeze(2);
  const auto dense = v.contiguous();
  auto out = at::empty({a.size(0), a.size(1)}, a.options());
  const int64_t m = a.size(1), n = a.size(2);
  parallel_for(a.size(0), [&](int64_t f) {
    matvec(a.const_data_ptr<double>() + f * a.stride(0), a.stride(1),
           dense.const_data_ptr<double>() + f * n, m, n, out.mutable_data_ptr<double>() + f * m);
  });
  return out;
}

at::Tensor batched_vecmat(const at::Tensor& v, const at::Tensor& a) {
  if (!plain(a)) return at::bmm(v.unsqueeze(1), a).squeeze(1);
  const auto dense = v.contiguous();
  auto out = at::empty({a.size(0), a.size(2)}, a.options());
  const int64_t m = a.size(1), n = a.size(2);
  parallel_for(a.size(0), [&](int64_t f) {
    vecmat(a.const_data_ptr<double>() + f * a.stride(0), a.stride(1),
           dense.const_data_ptr<double>() + f * m, m, n, out.mutable_data_ptr<double>() + f * n);
  });
  return out;
}

ThereAndBack batched_there_and_back(const at::Tensor& a, const at::Tensor& v) {
  if (!plain(a)) {
    const auto there = batched_matvec(a, v);
    return {there, batched_vecmat(there, a)};
  }
  const auto dense = v.contiguous();
  const int64_t m = a.size(1), n = a.size(2);
  ThereAndBack out{at::empty({a.size(0), m}, a.options()), at::zeros({a.size(0), n}, a.options())};
  parallel_for(a.size(0), [&](int64_t f) {
    const double* const rows = a.const_data_ptr<double>() + f * a.stride(0);
    const int64_t lda = a.stride(1);
    const double* const x = dense.const_data_ptr<double>() + f * n;
    double* const there = out.there.mutable_data_ptr<double>() + f * m;
    double* const back = out.back.mutable_data_ptr<double>() + f * n;
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) {
      four_dots(rows + i * lda, lda, x, n, there + i);
      add_four_rows(rows + i * lda, lda, there + i, n, back);
    }
    for (; i < m; ++i) {
      there[i] = one_dot(rows + i * lda, x, n);
      add_one_row(rows + i * lda, there[i], n, back);
    }
  });
  return out;
}

at::Tensor batched_cross(const at::Tensor& a, const at::Tensor& b) {
  if (!a.is_cpu()) return at::bmm(a.transpose(1, 2), b);
  auto out = at::empty({a.size(0), a.size(2), b.size(2)}, a.options());
  parallel_for(a.size(0), [&](int64_t f) {
    auto item = out.select(0, f);
    at::mm_out(item, a.select(0, f).t(), b.select(0, f));
  });
  return out;
}

at::Tensor shared_product(const at::Tensor& rows, const at::Tensor& c) {
  if (!rows.is_cpu()) return at::mm(rows, c);
  // So few rows that a general product spends its time packing c: here c is read once, four of its rows at a time, for
  // all of `rows`, in column blocks that keep the results in cache and that threads share without changing a bit.
  constexpr int64_t kWidth = 256;
  const auto left = rows.contiguous();
  const auto right = c.contiguous();
  const int64_t f = left.size(0), p = right.size(0), n = right.size(1);
  auto out = at::zeros({f, n}, rows.options());
  const double* const x = left.const_data_ptr<double>();
  const double* const m = right.const_data_ptr<double>();
  double* const sum = out.mutable_data_ptr<double>();
  parallel_for((n + kWidth - 1) / kWidth, [&](int64_t block) {
    const int64_t begin = block * kWidth;
    const int64_t width = std::min(kWidth, n - begin);
    int64_t k = 0;
    for (; k + 4 <= p; k += 4) {
      for (int64_t i = 0; i < f; ++i)
        add_four_rows(m + k * n + begin, n, x + i * p + k, width, sum + i * n + begin);
    }
    for (; k < p; ++k) {
      for (int64_t i = 0; i < f; ++i)
        add_one_row(m + k * n + begin, x[i * p + k], width, sum + i * n + begin);
    }
  });
  return out;
}

}  // namespace cortiscore
