#pragma once
#include <cstdint>

#include <cuda_runtime_api.h>

namespace cortiscore::kernels {

/// Pearson r between the columns of two row-major matrices, over the rows that a mask keeps: one pass, Welford.
///
/// @param x,y   device, [n_rows, n_cols] row-major, T in {float, double}
/// @param keep  device, [n_rows], 0 drops the row; nullptr keeps all
/// @param r     device, [n_cols] float64; NaN where either column is constant or fewer than 2 rows remain
/// Accumulates in double for either T. Regime: n_cols >= a few hundred (one thread a column, coalesced rows);
/// n_rows in the thousands. Bytes moved: 2 n_rows n_cols sizeof(T) in, 8 n_cols out.
/// Launch: ceil(n_cols / 128) blocks of 128 threads.
template <typename T>
cudaError_t pearson_columns(const T* x,
                            const T* y,
                            const uint8_t* keep,
                            double* r,
                            int64_t n_rows,
                            int64_t n_cols,
                            cudaStream_t stream);

}  // namespace cortiscore::kernels
