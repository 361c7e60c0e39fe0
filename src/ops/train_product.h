#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// X_train'X_train r of train-centred rows, a vector r a fold: [F, P] x [F, P] -> [F, P], as often
/// as components ask for it. X is [N, P] float64 and contiguous. Source: Dayal & MacGregor 1997;
/// ALGORITHMS.md 1a, algorithms 1 and 2.
///
/// From one pass over X for all folds: what a row scores on every r goes back to the folds that
/// train on it. 4 N P F operations.
/// @param in_train  [F, N] 1 where a fold trains on a row, else 0  @param x_mean  [F, P] mean of
///                  train rows
at::Tensor train_product(const at::Tensor& x,
                         const at::Tensor& r,
                         const at::Tensor& in_train,
                         const at::Tensor& x_mean);

/// From X'X of all rows, less what each fold leaves out: 2 P (P + 2 L) F operations, and N P^2 for
/// X'X before.
/// @param gram  [P, P] X'X  @param x_out  [F, L, P] rows left out, padded with zeros  @param
///              n_train  [F]
at::Tensor train_product_of_gram(const at::Tensor& gram,
                                 const at::Tensor& x_out,
                                 const at::Tensor& r,
                                 const at::Tensor& x_mean,
                                 const at::Tensor& n_train);

/// Whether the second takes fewer operations over all components.
bool gram_is_cheaper(
    int64_t n, int64_t p, int64_t n_folds, int64_t n_left_out, int64_t n_components);

}  // namespace cortiscore
