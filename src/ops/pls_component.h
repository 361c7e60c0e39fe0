#pragma once
#include <ATen/core/Tensor.h>

#include "src/ops/top_vector.h"

namespace cortiscore {

/// The deflation loop of kernel PLS, for some folds at once. F folds, P features, M targets, A
/// components. All float64 and contiguous; K, the components found so far, is an argument of the
/// steps. Nothing of size P x M is deflated: S_K = S' - P'diag(tau)Q acts on vectors through its
/// parts.
/// Source: Dayal & MacGregor 1997, algorithm 1 and 2; ALGORITHMS.md 1b.
struct PlsLoop {
  /// [F, M, P] Y'X of train rows: features side by side, since they outnumber targets
  at::Tensor s;
  at::Tensor trace;  ///< [F] tr S'S

  at::Tensor g;           ///< [F, M, M] S_K'S_K; `pls_deflate` takes it to K + 1
  at::Tensor rotations;   ///< [F, A, P] R
  at::Tensor x_loadings;  ///< [F, A, P]
  at::Tensor y_loadings;  ///< [F, A, M] Q
  at::Tensor tau;         ///< [F, A] t't; 0 where nothing was left to explain
  at::Tensor exhausted;   ///< [F, A] bool: nothing was left to explain
};

/// The rotation of component K, from the leading vector of G.
struct PlsDirection {
  at::Tensor r;       ///< [F, P]
  at::Tensor w_norm;  ///< [F] |S_K v|
};

/// r = w - R(P'w), w = S_K v / |S_K v|. Marks folds as exhausted: explained to the last bit, where
/// scikit-learn stops ("y residual is constant") or goes on with rounding noise.
PlsDirection pls_direction(PlsLoop& loop, int64_t k, const TopVector& top);

/// Loadings and tau of component K, and G.
/// @param cr  [F, P] X_train'X_train r of train-centred rows
void pls_deflate(PlsLoop& loop,
                 int64_t k,
                 const TopVector& top,
                 const PlsDirection& direction,
                 const at::Tensor& cr);

/// The same for fold f alone, on a CPU: safe for different folds at once.
/// @param direction  [F], with room
void pls_direction_of_fold(
    PlsLoop& loop, int64_t k, const TopVector& top, int64_t f, PlsDirection& direction);
void pls_deflate_fold(PlsLoop& loop,
                      int64_t k,
                      const TopVector& top,
                      const PlsDirection& direction,
                      const at::Tensor& cr,
                      int64_t f);
/// Room for the directions of all folds.
PlsDirection empty_direction(const PlsLoop& loop);

/// The same as ATen compositions, on any device: the definitions.
PlsDirection pls_direction_definition(PlsLoop& loop, int64_t k, const TopVector& top);
void pls_deflate_definition(PlsLoop& loop,
                            int64_t k,
                            const TopVector& top,
                            const PlsDirection& direction,
                            const at::Tensor& cr);

}  // namespace cortiscore
