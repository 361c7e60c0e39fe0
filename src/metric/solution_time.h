#pragma once
#include <ATen/core/Tensor.h>

namespace cortiscore {

/// When a decoder of each time bin first tells an image's object as well as humans do.
///
/// The first bin whose i1 reaches the image's threshold is the hit; of the bins before it, the one
/// with the largest i1 (the later of equal ones) is the other end of a straight line, and the time
/// is where that line crosses the threshold. A hit in the first bin is that bin's time. Bins
/// without an i1 count for nothing.
/// @param i1          [n_bins, n_images] float64, NaN where undefined
/// @param thresholds  [n_images] float64: the humans' i1
/// @param bin_starts  [n_bins] float64, ms, ascending
/// @return [n_images] float64, ms; NaN where no bin reaches the threshold
/// Source: Kar et al. 2019; the platform's OSTCorrelation; BENCHMARKS.md 2.9.
at::Tensor solution_times(const at::Tensor& i1,
                          const at::Tensor& thresholds,
                          const at::Tensor& bin_starts);

}  // namespace cortiscore
