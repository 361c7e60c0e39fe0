#pragma once
#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/metric/rdm.h"

namespace cortiscore {

/// Subjects' RDMs on one set of presentations.
struct SubjectRdms {
  at::Tensor pairs;  ///< [subjects, n (n - 1) / 2] float64: upper triangles
  int64_t n_presentations = 0;
  RdmComparison comparison = RdmComparison::kSpearman;
};

/// Similarity of a model's RDM with each subject's, mean over subjects; `error` is the standard deviation over subjects
/// (ddof 0) / sqrt(subjects), NaN for one subject; `split_values` hold a value a subject. Not resampled.
/// @param model  [n (n - 1) / 2] float64; NaN (a constant pattern) makes the estimate NaN
/// Source: Kriegeskorte, Mur & Bandettini 2008; the platform's RSABenchmark (BENCHMARKS.md 1.0, 2.5).
Estimate rdm_similarity(const at::Tensor& model, const SubjectRdms& subjects);

/// The same with draws and interval of a bootstrap over presentations: pairs count as often as both were drawn, ranks
/// are taken anew (Nili et al. 2014).
Estimate rdm_similarity_with_draws(const at::Tensor& model,
                                   const SubjectRdms& subjects,
                                   const BootstrapOptions& options);

/// The upper bound of Nili et al. 2014 (every subject with the mean over all), with the same draws; NaN, draws included,
/// where `ceiled` is false: data without a ceiling.
Estimate rdm_ceiling(const SubjectRdms& subjects, bool ceiled, const BootstrapOptions& options);

}  // namespace cortiscore
