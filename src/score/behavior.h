#pragma once
#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/score/cells.h"
#include "src/score/choices.h"
#include "src/score/joint.h"

namespace cortiscore {

/// How alike a network and each subject choose, the ceiling (every pair of subjects), and what the
/// convention makes of both. `split_values` of the raw estimate hold one value a subject, those of
/// the ceiling one a pair; errors are those of evaluate_choices; intervals resample stimuli,
/// jointly for both.
/// @param network  [n] bool, whether the network's choice is right
/// Source: BENCHMARKS.md 2.10 and 2.12.
Score choice_score(ChoiceMetric metric,
                   const at::Tensor& network,
                   const SubjectChoices& subjects,
                   const CeilingConvention& convention,
                   const BootstrapOptions& options = {});

/// A comparison cell by cell. @param published_ceiling  in place of the subjects' own, unless NaN
Score cell_score(const CellMetric& metric,
                 const CellTrials& network,
                 const CellTrials& subjects,
                 double published_ceiling,
                 const CeilingConvention& convention,
                 const BootstrapOptions& options = {});

/// The share of right choices beside a published ceiling, or alone (NaN). @param correct  [n] bool
Score accuracy_score(const at::Tensor& correct,
                     double published_ceiling,
                     const CeilingConvention& convention,
                     const BootstrapOptions& options = {});

/// The place of each triplet's odd one: the one that is not of the most similar pair, by the dot
/// product; the first pair of equals in the order (1, 2), (1, 3), (2, 3).
/// @param features  [n, f]
/// @param triplets  [t, 3] rows
/// @return [t] rows
/// Source: Hebart et al. 2020, methods; BENCHMARKS.md section 3.
at::Tensor odd_one_out(const at::Tensor& features, const at::Tensor& triplets);

/// A network's pattern of confusions against that of half of the trials (raw), one half's against
/// the other's (ceiling), and the mean over the two halvings of raw / sqrt(ceiling). Intervals
/// resample images, jointly for both.
/// @param confusion  [n_images, n_objects], of the network
/// Source: Rajalingham et al. 2018; the platform's Rajalingham2018-i2n; BENCHMARKS.md 2.7.
Score pattern_score(const PatternName& name,
                    const at::Tensor& confusion,
                    const TwoWayTrials& trials,
                    const at::Tensor& truth,
                    bool skipna,
                    const BootstrapOptions& options = {});

/// Over stimuli whose shape and texture are of two categories, shape choices / (shape + texture
/// choices), or, for shape_match, / all choices; an interval over stimuli, no ceiling.
/// @param chosen, shape, texture  [n] int64 class codes
/// Source: Geirhos et al. 2019, section 2.3; Hermann et al. 2020, section 3; BENCHMARKS.md 1.7.
Score shape_bias_score(const at::Tensor& chosen,
                       const at::Tensor& shape,
                       const at::Tensor& texture,
                       bool among_all,
                       const BootstrapOptions& options = {});
/// The share alone, over all rows of `chosen` [s, n].
double shape_bias(const at::Tensor& chosen, const at::Tensor& shape, const at::Tensor& texture);

/// The share of true flags.
double share_of(const at::Tensor& flags);

}  // namespace cortiscore
