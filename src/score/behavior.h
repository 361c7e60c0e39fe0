#pragma once
#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"

namespace cortiscore {

/// Error consistency of a network with each subject, its ceiling (every pair of subjects), and their ratio clipped to
/// 0..1. `split_values` of the raw estimate hold one value a subject, those of the ceiling one a pair; errors are
/// standard deviations over these (ddof 0), as the platform's; intervals resample stimuli, jointly for both.
/// @param network   [n] bool, whether the network's choice is right
/// @param subjects  [s, n] bool
/// Source: BENCHMARKS.md 2.10.
Score error_consistency_score(const at::Tensor& network,
                              const at::Tensor& subjects,
                              const BootstrapOptions& options = {});

/// The share of true flags.
double share_of(const at::Tensor& flags);

}  // namespace cortiscore
