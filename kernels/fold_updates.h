#pragma once
#include <cstdint>

#include <cuda_runtime_api.h>

namespace cortiscore::kernels {

/// S <- C - S - n xbar ybar' for every fold: cross-products of what a fold leaves out become those
/// of its train rows.
/// @param s  device, [f, p, m] float64, in place  @param c  device, [p, m], shared by all folds
/// @param x_mean  [f, p]  @param y_mean  [f, m]  @param n  [f] float64
/// One pass: 16 f p m + 8 p m bytes. Launch: a thread an element of [p, m], looping over folds, 256
/// a block.
cudaError_t downdate(double* s,
                     const double* c,
                     const double* x_mean,
                     const double* y_mean,
                     const double* n,
                     int64_t f,
                     int64_t p,
                     int64_t m,
                     cudaStream_t stream);

/// G <- G - u h' - h u' for every fold, in one pass over G: 16 f m^2 bytes.
/// @param g  device, [f, m, m] float64, in place  @param u, h  device, [f, m]
/// Launch: ceil(m^2 / 256) x f (at most 4096, each then several) blocks of 256 threads.
cudaError_t rank2_update(
    double* g, const double* u, const double* h, int64_t f, int64_t m, cudaStream_t stream);

}  // namespace cortiscore::kernels
