#pragma once
#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/score/choices.h"

namespace cortiscore {

/// How alike a network and each subject choose, the ceiling (every pair of subjects), and raw / ceiling: of error
/// consistency clipped to 0..1. `split_values` of the raw estimate hold one value a subject, those of the ceiling one a
/// pair; errors are those of evaluate_choices; intervals resample stimuli, jointly for both.
/// @param network  [n] bool, whether the network's choice is right
/// Source: BENCHMARKS.md 2.10 and 2.12.
Score choice_score(ChoiceMetric metric,
                   const at::Tensor& network,
                   const SubjectChoices& subjects,
                   const BootstrapOptions& options = {});

/// A network's pattern of confusions against that of half of the trials (raw), one half's against the other's (ceiling),
/// and the mean over the two halvings of raw / sqrt(ceiling). Intervals resample images, jointly for both.
/// @param confusion  [n_images, n_objects], of the network
/// Source: Rajalingham et al. 2018; the platform's Rajalingham2018-i2n; BENCHMARKS.md 2.7.
Score pattern_score(const PatternName& name,
                    const at::Tensor& confusion,
                    const TwoWayTrials& trials,
                    const at::Tensor& truth,
                    bool skipna,
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
