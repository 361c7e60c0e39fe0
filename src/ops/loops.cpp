#include "src/ops/loops.h"

#include "src/core/simd.h"

namespace cortiscore::loops {
namespace {

// Eight numbers, added lane by lane in one order whatever holds them. GCC takes a vector of 64
// bytes apart through the stack where registers have 32 (four times the instructions), so each
// instruction set has registers of its own size.
constexpr int64_t kLanes = 8;

// Everything that takes or gives one is inlined, so how one would be passed is nobody's business.
#pragma GCC diagnostic ignored "-Wpsabi"

// In one register of AVX-512.
struct Wide {
  using Register = double __attribute__((vector_size(64), aligned(8), may_alias));
  Register all;

  CORTISCORE_INLINE static Wide load(const double* from) {
    return {*reinterpret_cast<const Register*>(from)};
  }
  CORTISCORE_INLINE static Wide of(double value) { return {Register{} + value}; }
  CORTISCORE_INLINE void store(double* to) const { *reinterpret_cast<Register*>(to) = all; }
  CORTISCORE_INLINE void add_product(const Wide& x, const Wide& y) { all += x.all * y.all; }
  CORTISCORE_INLINE double sum() const {
    return ((all[0] + all[1]) + (all[2] + all[3])) + ((all[4] + all[5]) + (all[6] + all[7]));
  }
};

// In two registers of AVX2, or four of less.
struct Halves {
  using Register = double __attribute__((vector_size(32), aligned(8), may_alias));
  Register low, high;

  CORTISCORE_INLINE static Halves load(const double* from) {
    return {*reinterpret_cast<const Register*>(from), *reinterpret_cast<const Register*>(from + 4)};
  }
  CORTISCORE_INLINE static Halves of(double value) {
    return {Register{} + value, Register{} + value};
  }
  CORTISCORE_INLINE void store(double* to) const {
    *reinterpret_cast<Register*>(to) = low;
    *reinterpret_cast<Register*>(to + 4) = high;
  }
  CORTISCORE_INLINE void add_product(const Halves& x, const Halves& y) {
    low += x.low * y.low;
    high += x.high * y.high;
  }
  CORTISCORE_INLINE double sum() const {
    return ((low[0] + low[1]) + (low[2] + low[3])) + ((high[0] + high[1]) + (high[2] + high[3]));
  }
};

// A function by what the processor's registers hold.
#ifdef CORTISCORE_CLONES
const bool has_wide = [] {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") != 0;
}();
#define CORTISCORE_BY_REGISTERS(type, name, parameters, arguments)                  \
  namespace {                                                                       \
  __attribute__((target("avx512f"))) type name##_wide parameters {                  \
    return name##_of<Wide> arguments;                                               \
  }                                                                                 \
  __attribute__((target_clones("avx2", "default"))) type name##_narrow parameters { \
    return name##_of<Halves> arguments;                                             \
  }                                                                                 \
  }                                                                                 \
  type name parameters {                                                            \
    return has_wide ? name##_wide arguments : name##_narrow arguments;              \
  }
#else
#define CORTISCORE_BY_REGISTERS(type, name, parameters, arguments) \
  type name parameters {                                           \
    return name##_of<Halves> arguments;                            \
  }
#endif

// out[k ldo + i] += row i of a times v_k, for so many of each.
template <typename Eight, int kRows, int kVectors>
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
    for (int i = 0; i < kRows; ++i) s[k][i] = Eight::of(0);
  }
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    Eight x[kRows];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) x[i] = Eight::load(a + i * lda + j);
#pragma GCC unroll 8
    for (int k = 0; k < kVectors; ++k) {
      const Eight y = Eight::load(v + k * ldv + j);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) s[k][i].add_product(x[i], y);
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < kVectors; ++k) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) out[k * ldo + i] += s[k][i].sum();
  }
  for (; j < n; ++j) {
    for (int k = 0; k < kVectors; ++k) {
      for (int i = 0; i < kRows; ++i) out[k * ldo + i] += a[i * lda + j] * v[k * ldv + j];
    }
  }
}

// out_k (`ldo` apart) += sum over rows of a weighted by w[k ldw + i], for so many of each.
template <typename Eight, int kRows, int kVectors>
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
    for (int i = 0; i < kRows; ++i) weight[k][i] = Eight::of(w[k * ldw + i]);
  }
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    Eight sum[kVectors];
#pragma GCC unroll 8
    for (int k = 0; k < kVectors; ++k) sum[k] = Eight::load(out + k * ldo + j);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const Eight x = Eight::load(a + i * lda + j);
#pragma GCC unroll 8
      for (int k = 0; k < kVectors; ++k) sum[k].add_product(weight[k][i], x);
    }
#pragma GCC unroll 8
    for (int k = 0; k < kVectors; ++k) sum[k].store(out + k * ldo + j);
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

template <typename Eight>
CORTISCORE_INLINE double dot_of(const double* a, const double* b, int64_t n) {
  double sum = 0;
  add_dots<Eight, 1, 1>(a, n, b, n, n, &sum, 1);
  return sum;
}

template <typename Eight>
CORTISCORE_INLINE void matvec_of(
    const double* a, int64_t lda, const double* v, int64_t m, int64_t n, double* out) {
  int64_t i = 0;
  for (int64_t k = 0; k < m; ++k) out[k] = 0;
  for (; i + 4 <= m; i += 4) add_dots<Eight, 4, 1>(a + i * lda, lda, v, n, n, out + i, m);
  for (; i < m; ++i) add_dots<Eight, 1, 1>(a + i * lda, lda, v, n, n, out + i, m);
}

template <typename Eight>
CORTISCORE_INLINE void add_vecmat_of(
    const double* a, int64_t lda, const double* w, int64_t m, int64_t n, double* out) {
  int64_t i = 0;
  for (; i + 4 <= m; i += 4) add_rows<Eight, 4, 1>(a + i * lda, lda, w + i, m, n, out, n);
  for (; i < m; ++i) add_rows<Eight, 1, 1>(a + i * lda, lda, w + i, m, n, out, n);
}

// Of one strip of columns: room (`ldr` apart) += rows [kRows, width] times every r, and back +=
// what those bring back. Strips of r and back are packed, since rows that are a power of two apart
// share few places in the first cache.
template <typename Eight, int kRows>
CORTISCORE_INLINE void strip_there(const double* x,
                                   int64_t ldx,
                                   int64_t width,
                                   const double* r,
                                   int64_t f,
                                   double* room,
                                   int64_t ldr) {
  int64_t k = 0;
  for (; k + 4 <= f; k += 4)
    add_dots<Eight, kRows, 4>(x, ldx, r + k * kStripColumns, kStripColumns, width, room + k * ldr,
                              ldr);
  if (k + 2 <= f) {
    add_dots<Eight, kRows, 2>(x, ldx, r + k * kStripColumns, kStripColumns, width, room + k * ldr,
                              ldr);
    k += 2;
  }
  if (k < f)
    add_dots<Eight, kRows, 1>(x, ldx, r + k * kStripColumns, kStripColumns, width, room + k * ldr,
                              ldr);
}

template <typename Eight, int kRows>
CORTISCORE_INLINE void strip_back(const double* x,
                                  int64_t ldx,
                                  int64_t width,
                                  const double* room,
                                  int64_t ldr,
                                  int64_t f,
                                  double* back) {
  int64_t k = 0;
  for (; k + 4 <= f; k += 4)
    add_rows<Eight, kRows, 4>(x, ldx, room + k * ldr, ldr, width, back + k * kStripColumns,
                              kStripColumns);
  if (k + 2 <= f) {
    add_rows<Eight, kRows, 2>(x, ldx, room + k * ldr, ldr, width, back + k * kStripColumns,
                              kStripColumns);
    k += 2;
  }
  if (k < f)
    add_rows<Eight, kRows, 1>(x, ldx, room + k * ldr, ldr, width, back + k * kStripColumns,
                              kStripColumns);
}

template <typename Eight>
CORTISCORE_INLINE void there_and_back_of(const double* x,
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
        strip_there<Eight, 4>(block + i * ldx + j, ldx, width, strip, f, room + i, kBlock);
      for (; i < rows; ++i)
        strip_there<Eight, 1>(block + i * ldx + j, ldx, width, strip, f, room + i, kBlock);
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
        strip_back<Eight, 4>(block + i * ldx + j, ldx, width, room + i, kBlock, f, strip);
      for (; i < rows; ++i)
        strip_back<Eight, 1>(block + i * ldx + j, ldx, width, room + i, kBlock, f, strip);
    }
  }
}

template <typename Eight>
CORTISCORE_INLINE void add_few_rows_times_of(const double* x,
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
      add_rows<Eight, 4, 1>(a + k * lda, lda, x + i * ldx + k, ldx, n, out + i * ldo, ldo);
  }
  for (; k < m; ++k) {
    for (int64_t i = 0; i < f; ++i)
      add_rows<Eight, 1, 1>(a + k * lda, lda, x + i * ldx + k, ldx, n, out + i * ldo, ldo);
  }
}

}  // namespace

CORTISCORE_BY_REGISTERS(double, dot, (const double* a, const double* b, int64_t n), (a, b, n))
CORTISCORE_BY_REGISTERS(
    void,
    matvec,
    (const double* a, int64_t lda, const double* v, int64_t m, int64_t n, double* out),
    (a, lda, v, m, n, out))
CORTISCORE_BY_REGISTERS(
    void,
    add_vecmat,
    (const double* a, int64_t lda, const double* w, int64_t m, int64_t n, double* out),
    (a, lda, w, m, n, out))
CORTISCORE_BY_REGISTERS(void,
                        there_and_back,
                        (const double* x,
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
                         double* room),
                        (x, ldx, m, n, r, shift, weight, f, lds, scores, back, room))
CORTISCORE_BY_REGISTERS(void,
                        add_few_rows_times,
                        (const double* x,
                         int64_t ldx,
                         const double* a,
                         int64_t lda,
                         int64_t f,
                         int64_t m,
                         int64_t n,
                         double* out,
                         int64_t ldo),
                        (x, ldx, a, lda, f, m, n, out, ldo))

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
