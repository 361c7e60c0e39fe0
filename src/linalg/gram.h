#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// X X' of centred rows: K = (X - 1 mean') (X - 1 mean')', accumulated in float64 over fixed blocks of features.
///
/// Blocks, and the order in which they are added, depend on the shape alone, so any number of threads gives the same
/// bits. Only blocks on and below the diagonal are computed.
/// @param x  [n, p] float32 or float64, any device, row-major; not modified
/// @return [n, n] float64, symmetric; peak extra memory about n * 4096 * 8 bytes a thread
at::Tensor centred_gram(const at::Tensor& x);

/// X'X for float64 X [n, p]: [p, p], symmetric, blocks as above.
at::Tensor cross_gram(const at::Tensor& x);

/// n-dimensional coordinates Z with Z Z' = K, for a Gram matrix K of centred rows.
///
/// PLS without scaling, ridge and Euclidean distances see X only through inner products, so Z replaces X exactly; see
/// docs/decisions/0002-one-pls-by-isometry.md for the measurement. Centred rows make K singular along 1; adding a
/// multiple of 11' is one constant feature, which every mapping centres away, and lets Cholesky succeed. Where K has
/// lower rank still, the eigendecomposition serves.
/// @param gram  [n, n] float64 symmetric positive semi-definite with K 1 = 0
/// @return [n, n] float64
at::Tensor isometric_coordinates(const at::Tensor& gram);

/// The Gram matrix of a subset of rows, centred on that subset.
at::Tensor subset_gram(const at::Tensor& gram, const at::Tensor& rows);

}  // namespace cortiscore
