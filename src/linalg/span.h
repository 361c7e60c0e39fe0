#pragma once
#include <ATen/core/Tensor.h>

#include "src/linalg/feature_blocks.h"

namespace cortiscore {

/// The space that reference rows span about their mean, by an orthonormal basis: what a PCA with
/// all its components keeps.
///
/// The platform chooses layers on 1000 principal components fitted to 1000 photos (LayerPCA).
/// Centred, those have rank 999: component 1000 is a direction of rounding alone, and is left out
/// here. Mappings without scaling are blind to rotation, so any orthonormal basis of the same space
/// gives the same scores; this one is that of the principal components. Coordinates of a row x are
/// (x - mean) basis': sums over columns, so that neither the reference nor x need be whole.
/// Source: scikit-learn's PCA; ALGORITHMS.md section 0, facts 2 and 3.
class Span {
 public:
  /// Columns at a time of the products; parts of a layer begin at multiples of it, so that parts
  /// give the bits of the whole.
  static constexpr int64_t kWidth = 8 * FeatureBlocks::kWidth;

  /// @param reference  m rows
  explicit Span(FeatureBlocks& reference);

  /// Number of directions: the rank, m - 1 unless rows depend on each other.
  int64_t size() const { return turn_.size(0); }

  /// Turns columns of the reference into those of the basis, in their memory.
  /// @param columns  [m, width] float32, from a multiple of kWidth on, in ascending order
  /// @param offset   [size()] float64, zeros before the first: the mean's coordinates are added
  /// @return [size(), width] float32, orthonormal rows once all columns are side by side
  at::Tensor basis(const at::Tensor& columns, at::Tensor& offset) const;

 private:
  at::Tensor turn_;  // [size, m] float64
};

/// sum += x basis'. Products are float32 over kWidth columns, their sum float64: the basis is
/// orthonormal, so nothing is amplified. The same bits for the same number of rows.
/// @param x  [b, width] float32
/// @param sum  [b, size] float64
void add_span_products(const at::Tensor& x, const at::Tensor& basis, at::Tensor& sum);

}  // namespace cortiscore
