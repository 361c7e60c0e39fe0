#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// S <- C - S - n xbar ybar' for every fold, in place: from what folds leave out to what they train
/// on.
/// @param s  [f, p, m] float64  @param c  [p, m]  @param x_mean  [f, p]  @param y_mean  [f,
///           m]  @param n  [f]
void downdate(at::Tensor& s,
              const at::Tensor& c,
              const at::Tensor& x_mean,
              const at::Tensor& y_mean,
              const at::Tensor& n);

/// G <- G - u h' - h u' for every fold, in place. @param g  [f, m, m] float64  @param u, h  [f, m]
void rank2_update(at::Tensor& g, const at::Tensor& u, const at::Tensor& h);

/// The same as ATen compositions, on any device: the definitions.
void downdate_definition(at::Tensor& s,
                         const at::Tensor& c,
                         const at::Tensor& x_mean,
                         const at::Tensor& y_mean,
                         const at::Tensor& n);
void rank2_update_definition(at::Tensor& g, const at::Tensor& u, const at::Tensor& h);

}  // namespace cortiscore
