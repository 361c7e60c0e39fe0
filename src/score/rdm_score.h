#pragma once
#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/ceiling/rsa.h"
#include "src/metric/rdm.h"

namespace cortiscore {

/// What a comparison looks at of [..., n, n] matrices: [..., n (n - 1) / 2] upper triangles; all of
/// them for CKA.
at::Tensor compared_pairs(const at::Tensor& matrices, RdmComparison comparison);

/// Subjects' RDMs on one set of presentations.
struct SubjectRdms {
  at::Tensor pairs;  ///< [subjects, ...] float64: compared_pairs
  int64_t n_presentations = 0;
  RdmComparison comparison = RdmComparison::kSpearman;
};

/// Similarity of a model's RDM with each subject's, mean over subjects; `error` is the standard
/// deviation over subjects (ddof 0) / sqrt(subjects), NaN for one subject; `split_values` hold a
/// value a subject. Not resampled.
/// @param model  compared_pairs, float64; NaN (a constant pattern) makes the estimate NaN
/// Source: Kriegeskorte, Mur & Bandettini 2008; the platform's RSABenchmark (BENCHMARKS.md 1.0,
/// 2.5).
Estimate rdm_similarity(const at::Tensor& model, const SubjectRdms& subjects);

/// The same with draws and interval of a bootstrap over presentations: pairs count as often as both
/// were drawn, ranks are taken anew (Nili et al. 2014).
Estimate rdm_similarity_with_draws(const at::Tensor& model,
                                   const SubjectRdms& subjects,
                                   const BootstrapOptions& options);

/// What a ceiling compares: every one of `subjects` with the same row of `with`, or with its only
/// one.
struct RdmCeiling {
  SubjectRdms subjects;
  at::Tensor with;
};
/// The upper bound: every subject with the mean over all.
/// @param pooling  how means are taken; ranks are those among all presentations, in every draw
RdmCeiling upper_bound(const SubjectRdms& subjects, RdmPooling pooling);
/// The lower one: every subject with the mean over the others.
RdmCeiling lower_bound(const SubjectRdms& subjects, RdmPooling pooling);
/// Every two subjects, the first of them as the rows of `subjects`.
RdmCeiling pairs_of_subjects(const SubjectRdms& subjects);

/// The mean over rows, with the same draws as a model's similarity: also where every subject has a
/// model of its own.
Estimate rdm_ceiling(const RdmCeiling& ceiling, const BootstrapOptions& options);

}  // namespace cortiscore
