#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Order and tie groups of a vector, found once for any number of weightings.
struct SortedTies {
  at::Tensor order;  ///< [n] int64: positions in ascending order of value
  /// [n] int64: for each place in that order, the place where its tie group begins
  at::Tensor first;
  at::Tensor last;  ///< [n] int64: and where it ends
};

/// @param values  [n] float64, no NaN, any device
SortedTies sort_ties(const at::Tensor& values);

/// Average ranks of the vector in which entry i is there weights[b, i] times: [b, n], ranks of
/// absent entries undefined but finite. With weights of one these are `average_ranks`.
at::Tensor weighted_ranks(const SortedTies& ties, const at::Tensor& weights);

}  // namespace cortiscore
