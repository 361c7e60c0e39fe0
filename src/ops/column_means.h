#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Each column less its mean: [n, p] of any real dtype -> [n, p] float64.
at::Tensor less_column_means(const at::Tensor& values);

}  // namespace cortiscore
