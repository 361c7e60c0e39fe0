#pragma once
#include <ATen/core/Tensor.h>

#include "src/metric/rdm.h"

namespace cortiscore {

/// How well a model's RDM could agree with subjects', from the subjects' own.
struct RsaBounds {
  /// [subjects] each subject with the mean over all, itself included: the ceiling in use
  at::Tensor upper;
  /// [subjects] each subject with the mean over the others (leave one subject out)
  at::Tensor lower;
};

/// How subjects' RDMs become one.
enum class RdmPooling {
  kAsTheyAre,  ///< their mean: the platform's
  kOneScale    ///< each first brought to the scale that is compared, as Nili et al. 2014 have it:
               ///< ranks, z scores (Pearson), unit length (cosine)
};

/// RDMs as their mean takes them; one that has no scale, being one value everywhere, as zeros,
/// which change no comparison with the mean. @param rdms  [subjects, n_pairs] float64
at::Tensor for_pooling(const at::Tensor& rdms, RdmComparison comparison, RdmPooling pooling);

/// [subjects, n_pairs]: of every subject, the mean of all the others' RDMs, summed anew: less one
/// from the sum of all would leave its rounding.
/// @param rdms  [2 or more subjects, n_pairs] float64
at::Tensor means_of_others(const at::Tensor& rdms);

/// @param rdms  [subjects, n_pairs] float64, upper triangles, no NaN; at least 2 subjects
/// Source: kAsTheyAre BENCHMARKS.md 2.4; kOneScale Nili et al. 2014, rsatoolbox's
/// boot_noise_ceiling. Without Spearman-Brown, nothing clipped.
RsaBounds rsa_bounds(const at::Tensor& rdms,
                     RdmComparison comparison = RdmComparison::kSpearman,
                     RdmPooling pooling = RdmPooling::kAsTheyAre);

}  // namespace cortiscore
