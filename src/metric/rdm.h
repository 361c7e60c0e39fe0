#pragma once
#include <string>

#include <ATen/core/Tensor.h>

#include "src/linalg/feature_blocks.h"
#include "src/ops/upper_triangle.h"
#include "src/resample/bootstrap.h"

namespace cortiscore {

/// What the response patterns of two stimuli are to each other: how dissimilar, or (for CKA) how
/// alike.
enum class RdmDistance {
  kCorrelation,       ///< 1 - Pearson r over neuroids: the platform's
  kCosine,            ///< 1 - cosine
  kSquaredEuclidean,  ///< sum of squared differences / number of neuroids, as rsatoolbox's
                      ///< "euclidean"
  kInnerProduct,  ///< the product of patterns less the mean pattern: what CKA compares; has no name
};
/// How alike two RDMs are, over their strict upper triangles.
enum class RdmComparison {
  kSpearman,   ///< the platform's
  kPearson,    ///< rsatoolbox "corr"
  kCosine,     ///< rsatoolbox "cosine"
  kKendall,    ///< Kendall's tau-a, rsatoolbox "tau-a"
  kSpearmanA,  ///< the expected Spearman rho under random tie breaking, rsatoolbox "rho-a"
  kCka,        ///< unbiased CKA of whole matrices of inner products (src/metric/cka.h); has no name
};
/// @throws Error(kUnknownName)  expected correlation, cosine or euclidean
RdmDistance rdm_distance(const std::string& name);
/// @throws Error(kUnknownName)  expected spearman, pearson, cosine, tau-a or rho-a
RdmComparison rdm_comparison(const std::string& name);

std::string name_of(RdmDistance distance);
std::string name_of(RdmComparison comparison);

/// Representational dissimilarity matrix of the rows of `responses`, features in float64 blocks.
/// @param responses  [n_presentations, n_features] float32 or float64, finite, any device; not
///                   modified
/// @return [n, n] float64, symmetric, zero diagonal; NaN in the rows of constant patterns
///         (correlation distance), and everywhere where there are no features. Of inner products
///         the diagonal is what it is.
/// Source: Kriegeskorte, Mur & Bandettini 2008; the platform's `RDM` (1 - numpy.corrcoef);
/// BENCHMARKS.md 2.5.
at::Tensor rdm(const at::Tensor& responses, RdmDistance distance = RdmDistance::kCorrelation);
/// The same bits of features that come some columns at a time, in one sweep.
at::Tensor rdm(FeatureBlocks& responses, RdmDistance distance = RdmDistance::kCorrelation);

/// Similarity of every first RDM with every second one: [a, s] float64.
/// @param a  [a, n_pairs] float64, no NaN (drop such pairs first); [a, n * n] for kCka
/// @param s  [s, n_pairs], likewise
at::Tensor compare_rdms(const at::Tensor& a, const at::Tensor& s, RdmComparison comparison);

/// The same for every draw of presentations: a pair of stimuli counts as often as both were drawn,
/// a stimulus with its own copy never. Ranks are taken anew for every draw. [draws.n, a, s]
/// @param counts  [b, n_presentations] float64
/// @throws c10::ValueError  comparison is kKendall or kSpearmanA
at::Tensor compare_rdms_draws(const at::Tensor& a,
                              const at::Tensor& s,
                              const at::Tensor& counts,
                              RdmComparison comparison);

}  // namespace cortiscore
