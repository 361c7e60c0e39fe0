#pragma once
#include <ATen/core/Tensor.h>

#include "src/linalg/feature_blocks.h"

namespace cortiscore {

/// Units that answer a set of stimuli unlike most do, each scaled to mean 0 and deviation 1 over
/// stimuli.
///
/// Units that are the same for every stimulus are left out; of the others those whose mean m over
/// stimuli has |m| > 3.1 times the standard deviation (ddof 0) of all their means.
/// @param x  features of n stimuli, seen twice
/// @return [n, units kept] float64, on the features' device; no column where none stands out
/// Source: the platform's Coggan2024_fMRI; BENCHMARKS.md 1.2.
at::Tensor responsive_units(FeatureBlocks& x);

}  // namespace cortiscore
