#include "src/ops/loops.h"

#include "src/core/simd.h"

namespace cortiscore::loops {
namespace {

constexpr int64_t kLanes = 8;

// Eight numbers that are not aligned: what GCC turns into as many registers as the instruction set
// needs.
using Eight = double
    __attribute__((vector_size(kLanes * sizeof(double)), aligned(sizeof(double)), may_alias));

CORTISCORE_INLINE const Eight& load(const double* from) {
  return *reinterpret_cast<const Eight*>(from);
}

CORTISCORE_INLINE double sum_of(const Eight& s) {
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

// out[k ldo + i] += row i of a times v_k, for so many of each.
template <int kRows, int kVectors>
CORTISCORE_INLINE void add_dots(const double* __restrict a,
                                int64_t lda,
                                const double* __restrict v,
                                int64_t ldv,
                                int64_t n,
                                double* __restrict out,
                                int64_t ldo) {
  Eight s[kVectors][kRows];
#pragma GCC unroll 8
  for (int k = 0; k < kVectors; ++k) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) s[k][i] = Eight{};
  }
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    Eight x[kRows];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) x[i] = load(a + i * lda + j);
#pragma GCC unroll 8
    for (int k = 0; k < kVectors; ++k) {
      const Eight y = load(v + k * ldv + j);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) s[k][i] += x[i] * y;
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < kVectors; ++k) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) out[k * ldo + i] += sum_of(s[k][i]);
  }
  for (; j < n; ++j) {
    for (int k = 0; k < kVectors; ++k) {
      for (int i = 0; i < kRows; ++i) out[k * ldo + i] += a[i * lda + j] * v[k * ldv + j];
    }
  }
}

// out_k (`ldo` apart) += sum over rows of a weighted by w[k ldw + i], for so many of each.
template <int kRows, int kVectors>
CORTISCORE_INLINE void add_rows(const double* __restrict a,
                                int64_t lda,
                                const double* __restrict w,
                                int64_t ldw,
                                int64_t n,
                                double* __restrict out,
                                int64_t ldo) {
  Eight weight[kVectors][kRows];
#pragma GCC unroll 8
  for (int k = 0; k < kVectors; ++k) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) weight[k][i] = Eight{} + w[k * ldw + i];
  }
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    Eight sum[kVectors];
#pragma GCC unroll 8
    for (int k = 0; k < kVectors; ++k) sum[k] = load(out + k * ldo + j);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const Eight x = load(a + i * lda + j);
#pragma GCC unroll 8
      for (int k = 0; k < kVectors; ++k) sum[k] += weight[k][i] * x;
    }
#pragma GCC unroll 8
    for (int k = 0; k < kVectors; ++k) *reinterpret_cast<Eight*>(out + k * ldo + j) = sum[k];
  }
  for (; j < n; ++j) {
    for (int k = 0; k < kVectors; ++k) {
      double sum = out[k * ldo + j];
      for (int i = 0; i < kRows; ++i) sum += w[k * ldw + i] * a[i * lda + j];
      out[k * ldo + j] = sum;
    }
  }
}

CORTISCORE_INLINE void subtract_rank2_row(double* __restrict g,
                                          double ui,
                                          double hi,
                                          const double* __restrict u,
                                          const double* __restrict h,
                                          int64_t m) {
  for (int64_t j = 0; j < m; ++j) g[j] -= ui * h[j] + hi * u[j];
}

CORTISCORE_INLINE void downdate_row(double* __restrict s,
                                    const double* __restrict c,
                                    double weight,
                                    const double* __restrict y_mean,
                                    int64_t m) {
  for (int64_t j = 0; j < m; ++j) s[j] = c[j] - s[j] - weight * y_mean[j];
}

// Columns that go through together: their sums stay in registers and the first cache.
constexpr int64_t kStrip = 64;
constexpr int64_t kPartial =
    32;  // rows of a partial sum: errors grow with these and their number, not with the rows

template <typename Value>
CORTISCORE_INLINE void centre_strip(const Value* __restrict x,
                                    int64_t ldx,
                                    int64_t m,
                                    int64_t n,
                                    double* __restrict out,
                                    int64_t ldo) {
  double mean[kStrip] = {};
  for (int64_t first = 0; first < m; first += kPartial) {
    const int64_t last = first + kPartial < m ? first + kPartial : m;
    double part[kStrip] = {};
    for (int64_t i = first; i < last; ++i) {
      const Value* const row = x + i * ldx;
      for (int64_t j = 0; j < n; ++j) part[j] += static_cast<double>(row[j]);
    }
    for (int64_t j = 0; j < n; ++j) mean[j] += part[j];
  }
  for (int64_t j = 0; j < n; ++j) mean[j] /= static_cast<double>(m);
  for (int64_t i = 0; i < m; ++i) {
    const Value* const row = x + i * ldx;
    double* const to = out + i * ldo;
    for (int64_t j = 0; j < n; ++j) to[j] = static_cast<double>(row[j]) - mean[j];
  }
}

template <typename Value>
CORTISCORE_INLINE void centre(
    const Value* x, int64_t ldx, int64_t m, int64_t n, double* out, int64_t ldo) {
  int64_t j = 0;
  for (; j + kStrip <= n; j += kStrip) centre_strip(x + j, ldx, m, kStrip, out + j, ldo);
  if (j < n) centre_strip(x + j, ldx, m, n - j, out + j, ldo);
}

}  // namespace

CORTISCORE_SIMD double dot(const double* a, const double* b, int64_t n) {
  double sum = 0;
  add_dots<1, 1>(a, n, b, n, n, &sum, 1);
  return sum;
}

CORTISCORE_SIMD void matvec(
    const double* a, int64_t lda, const double* v, int64_t m, int64_t n, double* out) {
  int64_t i = 0;
  for (int64_t k = 0; k < m; ++k) out[k] = 0;
  for (; i + 4 <= m; i += 4) add_dots<4, 1>(a + i * lda, lda, v, n, n, out + i, m);
  for (; i < m; ++i) add_dots<1, 1>(a + i * lda, lda, v, n, n, out + i, m);
}

CORTISCORE_SIMD void add_vecmat(
    const double* a, int64_t lda, const double* w, int64_t m, int64_t n, double* out) {
  int64_t i = 0;
  for (; i + 4 <= m; i += 4) add_rows<4, 1>(a + i * lda, lda, w + i, m, n, out, n);
  for (; i < m; ++i) add_rows<1, 1>(a + i * lda, lda, w + i, m, n, out, n);
}

namespace {

// Of one strip of columns: room (`ldr` apart) += rows [kRows, width] times every r, and back +=
// what those bring back. Strips of r and back are packed, since rows that are a power of two apart
// share few places in the first cache.
template <int kRows>
CORTISCORE_INLINE void strip_there(const double* x,
                                   int64_t ldx,
                                   int64_t width,
                                   const double* r,
                                   int64_t f,
                                   double* room,
                                   int64_t ldr) {
  int64_t k = 0;
  for (; k + 4 <= f; k += 4)
    add_dots<kRows, 4>(x, ldx, r + k * kStripColumns, kStripColumns, width, room + k * ldr, ldr);
  if (k + 2 <= f) {
    add_dots<kRows, 2>(x, ldx, r + k * kStripColumns, kStripColumns, width, room + k * ldr, ldr);
    k += 2;
  }
  if (k < f)
    add_dots<kRows, 1>(x, ldx, r + k * kStripColumns, kStripColumns, width, room + k * ldr, ldr);
}

template <int kRows>
CORTISCORE_INLINE void strip_back(const double* x,
                                  int64_t ldx,
                                  int64_t width,
                                  const double* room,
                                  int64_t ldr,
                                  int64_t f,
                                  double* back) {
  int64_t k = 0;
  for (; k + 4 <= f; k += 4)
    add_rows<kRows, 4>(x, ldx, room + k * ldr, ldr, width, back + k * kStripColumns, kStripColumns);
  if (k + 2 <= f) {
    add_rows<kRows, 2>(x, ldx, room + k * ldr, ldr, width, back + k * kStripColumns, kStripColumns);
    k += 2;
  }
  if (k < f)
    add_rows<kRows, 1>(x, ldx, room + k * ldr, ldr, width, back + k * kStripColumns, kStripColumns);
}

}  // namespace

CORTISCORE_SIMD void there_and_back(const double* x,
                                    int64_t ldx,
                                    int64_t m,
                                    int64_t n,
                                    const double* r,
                                    const double* shift,
                                    const double* weight,
                                    int64_t f,
                                    int64_t lds,
                                    double* scores,
                                    double* back,
                                    double* room) {
  constexpr int64_t kBlock = kRowsAtOnce;  // rows that stay in the second cache until they are back
  for (int64_t first = 0; first < m; first += kBlock) {
    const int64_t rows = m - first < kBlock ? m - first : kBlock;
    const double* const block = x + first * ldx;
    for (int64_t k = 0; k < f; ++k) {
      for (int64_t i = 0; i < rows; ++i) room[k * kBlock + i] = -shift[k];
    }
    for (int64_t j = 0; j < n; j += kStripColumns) {
      const int64_t width = n - j < kStripColumns ? n - j : kStripColumns;
      const double* const strip = r + j * f;
      int64_t i = 0;
      for (; i + 4 <= rows; i += 4)
        strip_there<4>(block + i * ldx + j, ldx, width, strip, f, room + i, kBlock);
      for (; i < rows; ++i)
        strip_there<1>(block + i * ldx + j, ldx, width, strip, f, room + i, kBlock);
    }
    for (int64_t k = 0; k < f; ++k) {
      for (int64_t i = 0; i < rows; ++i) {
        scores[k * lds + first + i] = room[k * kBlock + i];
        room[k * kBlock + i] *= weight[k * lds + first + i];
      }
    }
    for (int64_t j = 0; j < n; j += kStripColumns) {
      const int64_t width = n - j < kStripColumns ? n - j : kStripColumns;
      double* const strip = back + j * f;
      int64_t i = 0;
      for (; i + 4 <= rows; i += 4)
        strip_back<4>(block + i * ldx + j, ldx, width, room + i, kBlock, f, strip);
      for (; i < rows; ++i)
        strip_back<1>(block + i * ldx + j, ldx, width, room + i, kBlock, f, strip);
    }
  }
}

CORTISCORE_SIMD void add_few_rows_times(const double* x,
                                        int64_t ldx,
                                        const double* a,
                                        int64_t lda,
                                        int64_t f,
                                        int64_t m,
                                        int64_t n,
                                        double* out,
                                        int64_t ldo) {
  int64_t k = 0;
  for (; k + 4 <= m; k += 4) {
    for (int64_t i = 0; i < f; ++i)
      add_rows<4, 1>(a + k * lda, lda, x + i * ldx + k, ldx, n, out + i * ldo, ldo);
  }
  for (; k < m; ++k) {
    for (int64_t i = 0; i < f; ++i)
      add_rows<1, 1>(a + k * lda, lda, x + i * ldx + k, ldx, n, out + i * ldo, ldo);
  }
}

CORTISCORE_SIMD void downdate(double* s,
                              const double* c,
                              const double* x_mean,
                              const double* y_mean,
                              double count,
                              int64_t p,
                              int64_t m) {
  for (int64_t i = 0; i < p; ++i) downdate_row(s + i * m, c + i * m, count * x_mean[i], y_mean, m);
}

CORTISCORE_SIMD void rank2_update(double* g, const double* u, const double* h, int64_t m) {
  for (int64_t i = 0; i < m; ++i) subtract_rank2_row(g + i * m, u[i], h[i], u, h, m);
}

CORTISCORE_SIMD void centre_columns(
    const float* x, int64_t ldx, int64_t m, int64_t n, double* out, int64_t ldo) {
  centre(x, ldx, m, n, out, ldo);
}

CORTISCORE_SIMD void centre_columns(
    const double* x, int64_t ldx, int64_t m, int64_t n, double* out, int64_t ldo) {
  centre(x, ldx, m, n, out, ldo);
}

}  // namespace cortiscore::loops
