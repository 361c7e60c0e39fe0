#pragma once
#include <cstdint>

#include <cuda_runtime_api.h>

namespace cortiscore::kernels {

/// The largest matrix that top_vector takes: two vectors of this length lie in shared memory, of
/// which every device has 99 KB a block.
constexpr int64_t kMostTopVectorRows = 4096;

/// The iterate at which scikit-learn's NIPALS loop stops, for f symmetric matrices at once
/// (src/ops/top_vector.h has the mathematics; its CPU loop does the same sums in another order).
///
/// @param g      device, [f, m, m] float64, symmetric positive semi-definite, m <=
///               kMostTopVectorRows
/// @param start  device, [f, m] float64
/// @param v, gv  device, [f, m] out: unit vector and G v
/// @param rayleigh, iterations, marginal  device, [f] out
/// One thread block a matrix. G lies in shared memory where it fits (m <= 168 with 227 KB), else it
/// is read from L2 every step; where four vectors do not fit, v and G v lie in their outputs.
/// A step is m^2 multiply-adds and three block sums; a block leaves when its own iterate stops.
/// Bytes moved: 8 f m^2 in, 16 f m out (m <= 168). Launch: f blocks of 256 threads.
/// Sums are taken in a fixed order: two runs give the same bits.
cudaError_t top_vector(const double* g,
                       const double* start,
                       double tol,
                       int64_t max_iter,
                       double marginal_width,
                       double* v,
                       double* gv,
                       double* rayleigh,
                       int64_t* iterations,
                       bool* marginal,
                       int64_t f,
                       int64_t m,
                       cudaStream_t stream);

}  // namespace cortiscore::kernels
