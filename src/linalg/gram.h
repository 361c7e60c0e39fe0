#pragma once
#include <ATen/core/Tensor.h>

#include "src/core/precision.h"
#include "src/linalg/feature_blocks.h"

namespace cortiscore {

/// X X' of centred rows: K = (X - 1 mean') (X - 1 mean')', accumulated in float64 over fixed blocks
/// of features.
///
/// Blocks, and the order in which they are added, depend on the shape alone, so any number of
/// threads gives the same bits. Only blocks on and below the diagonal are computed.
/// @param x  [n, p] float32 or float64, any device, row-major; not modified
/// @return [n, n] float64, symmetric; peak extra memory about n * 4096 * 8 bytes a thread
at::Tensor centred_gram(const at::Tensor& x, Precision precision = Precision::kFloat64);
/// The same bits of features that come some columns at a time, in one sweep.
at::Tensor centred_gram(FeatureBlocks& x, Precision precision = Precision::kFloat64);

/// Products of rows, and how large their entries are.
struct RowGram {
  at::Tensor products;  ///< [n, n] float64, symmetric
  at::Tensor largest;   ///< [n] float64: the largest magnitude in every row
};

/// X X' of rows as they are, or each less its own mean (`centre_rows`); blocks as above, one sweep.
/// Rows are shifted by the mean of their first block, and what is left of the mean is taken off the
/// sum: (X - a 1')(X - a 1')' - s s' / p, where s sums the shifted rows.
RowGram row_gram(FeatureBlocks& x, bool centre_rows);

/// X'X for float64 X [n, p]: [p, p], symmetric, blocks as above.
at::Tensor cross_gram(const at::Tensor& x, Precision precision = Precision::kFloat64);

/// n-dimensional coordinates Z of the rows of X whose inner products, once centred, are those of X:
/// Z Z' = K + c 11', K the Gram matrix of centred rows.
///
/// PLS without scaling, ridge and Euclidean distances see X only through inner products, so Z
/// replaces X exactly; see docs/decisions/0002-one-pls-by-isometry.md for the measurement. Z is a
/// Cholesky factor of the Gram matrix, which squares the condition number; where the pivots say
/// that this would show, a second pass over X whitens it with the first factor and factors what
/// remains (CholeskyQR2: Fukaya et al. 2014), which is as good as a QR of X'. Centred rows make K
/// singular along 1; the multiple of 11' is one constant feature, which every mapping centres away.
/// Where K has lower rank still, the eigendecomposition serves.
/// @param x  [n, p] float32 or float64, any device, row-major; not modified
/// @return [n, n] float64
at::Tensor isometric_coordinates(const at::Tensor& x, Precision precision = Precision::kFloat64);
/// The same bits of features that come some columns at a time, in one sweep, or two where
/// conditioning asks for it.
at::Tensor isometric_coordinates(FeatureBlocks& x, Precision precision = Precision::kFloat64);

}  // namespace cortiscore
