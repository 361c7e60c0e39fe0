#pragma once
#include <cstdint>

/// Products of a matrix and a vector or a few, updates and centring on the CPU, in float64. MKL's
/// run generic code on processors that are not Intel's, at a third of what memory gives. Every loop
/// adds in an order that depends on sizes alone. Matrices are [m, n], rows side by side, with `lda`
/// entries from one row to the next.
namespace cortiscore::loops {

double dot(const double* a, const double* b, int64_t n);

/// out = A v
void matvec(const double* a, int64_t lda, const double* v, int64_t m, int64_t n, double* out);

/// out += A'w
void add_vecmat(const double* a, int64_t lda, const double* w, int64_t m, int64_t n, double* out);

/// Columns of a strip, and rows of a block.
inline constexpr int64_t kStripColumns = 192, kRowsAtOnce = 16;

/// For every one of f vectors r: scores = X r - shift and back += X'(weight o scores), reading X
/// [m, n] once for all of them. Vectors of r and back are in strips: [ceil(n / kStripColumns), f,
/// kStripColumns].
/// @param shift  [f]  @param weight  [f, m], `lds` apart as scores [f, m] are  @param room  [f,
///               kRowsAtOnce]
void there_and_back(const double* x,
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
                    double* room);

/// out += X A for few rows X [f, m] (`ldx` apart), out [f, n] (`ldo` apart): A is read once for all
/// of them.
void add_few_rows_times(const double* x,
                        int64_t ldx,
                        const double* a,
                        int64_t lda,
                        int64_t f,
                        int64_t m,
                        int64_t n,
                        double* out,
                        int64_t ldo);

/// out = X less the mean of every column, for X [m, n], out [m, n] (`ldo` apart).
void centre_columns(const float* x, int64_t ldx, int64_t m, int64_t n, double* out, int64_t ldo);
void centre_columns(const double* x, int64_t ldx, int64_t m, int64_t n, double* out, int64_t ldo);

/// S = C - S - count x_mean y_mean' for S and C [p, m].
void downdate(double* s,
              const double* c,
              const double* x_mean,
              const double* y_mean,
              double count,
              int64_t p,
              int64_t m);

/// G -= u h' + h u' for G [m, m].
void rank2_update(double* g, const double* u, const double* h, int64_t m);

}  // namespace cortiscore::loops
