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

/// Shape choices / (shape + texture choices) over stimuli whose shape and texture are of two categories; an interval over
/// stimuli, no ceiling. @param chosen, shape, texture  [n] int64 class codes
/// Source: Geirhos et al. 2019, section 2.3; BENCHMARKS.md 1.7.
Score shape_bias_score(const at::Tensor& chosen,
                       const at::Tensor& shape,
                       const at::Tensor& texture,
                       const BootstrapOptions& options = {});
/// The share alone, over all rows of `chosen` [s, n].
double shape_bias(const at::Tensor& chosen, const at::Tensor& shape, const at::Tensor& texture);

/// The share of true flags.
double share_of(const at::Tensor& flags);

}  // namespace cortiscore
