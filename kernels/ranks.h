#pragma once
#include <cstdint>

#include <cuda_runtime_api.h>

namespace cortiscore::kernels {

/// Average ranks from a sort: ties share the mean of their places, found by bisection in the sorted
/// row.
/// @param sorted  device, [rows, n] float64, ascending, no NaN
/// @param order   device, [rows, n] int64: where each stood
/// @param ranks   device, [rows, n] out, in the original places, from 1
/// Bytes moved: 24 rows n, and log2(n) reads of cached lines an element.
/// Launch: ceil(n / 256) x rows (at most 4096, each then several) blocks of 256.
/// The sort is CUB's segmented radix sort, through at::sort.
cudaError_t tie_ranks(const double* sorted,
                      const int64_t* order,
                      double* ranks,
                      int64_t rows,
                      int64_t n,
                      cudaStream_t stream);

/// The strict upper triangle of each matrix, row by row.
/// @param matrices  device, [count, n, n] float64  @param packed  device, [count, n (n - 1) / 2]
///                  out
/// Bytes moved: 8 count n (n - 1).
/// Launch: n x count (at most 4096, each then several) blocks of 256 threads, one row each.
cudaError_t pack_triangle(
    const double* matrices, double* packed, int64_t count, int64_t n, cudaStream_t stream);

}  // namespace cortiscore::kernels
