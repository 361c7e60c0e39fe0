#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// The space that reference rows span about their mean, by an orthonormal basis: what a PCA with all its components keeps.
///
/// The platform chooses layers on 1000 principal components fitted to 1000 photos (LayerPCA). Centred, those have rank 999:
/// component 1000 is a direction of rounding alone, and is left out here. Mappings without scaling are blind to rotation,
/// so any orthonormal basis of the same space gives the same scores; this one is that of the principal components.
/// Source: scikit-learn's PCA; ALGORITHMS.md section 0, facts 2 and 3.
class Span {
 public:
  /// @param reference  [m, p] float32, row-major; becomes the basis, so that a wide layer is held once
  explicit Span(at::Tensor reference);

  /// Number of directions: the rank, m - 1 unless rows depend on each other.
  int64_t size() const { return basis_.size(0); }
  /// (x - mean) basis'. Products are float32 over blocks of features, their sum float64: the basis is orthonormal, so
  /// nothing is amplified. The same bits for the same number of rows. @param x  [b, p]  @return [b, size()] float64
  at::Tensor coordinates(const at::Tensor& x) const;

 private:
  at::Tensor basis_;   // [size, p] float32, orthonormal rows
  at::Tensor offset_;  // [size] float64: of the mean
};

}  // namespace cortiscore
