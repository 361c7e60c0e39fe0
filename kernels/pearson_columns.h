#pragma once
#include <cstdint>

#include <cuda_runtime_api.h>

namespace cortiscore::kernels {

/// Pearson r between the columns of two row-major matrices, over the pairs that a mask keeps: one
/// pass, Welford in 8 interleaved parts a column that are merged in a fixed order (Chan, Golub &
/// LeVeque 1983).
///
/// @param x,y   device, [n_rows, n_cols] row-major, T in {float, double}
/// @param keep  device, [n_rows, n_cols], 0 drops the pair, whatever it holds; nullptr keeps all
/// @param r     device, [n_cols] float64; NaN where either column is constant or fewer than 2 pairs
///              remain
/// Accumulates in double for either T. Regime: n_rows in the hundreds and more.
/// Bytes moved: 2 n_rows n_cols sizeof(T) in (and n_rows n_cols of mask), 8 n_cols out.
/// Launch: ceil(n_cols / 32) blocks of 32 x 8 threads.
template <typename T>
cudaError_t pearson_columns(const T* x,
                            const T* y,
                            const bool* keep,
                            double* r,
                            int64_t n_rows,
                            int64_t n_cols,
                            cudaStream_t stream);

}  // namespace cortiscore::kernels
