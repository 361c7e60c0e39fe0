#pragma once
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Loss of accuracy from whole to manipulated images: mean over categories of the accuracy on the first less the same
/// on the second. @param correct  [t] bool  @param category  [t] int64  @param kind  [t] int64: 0 whole, 1 manipulated,
/// other trials do not count. Categories without a trial of a kind are left out of its mean. [] float64
at::Tensor accuracy_delta(const at::Tensor& correct,
                          const at::Tensor& category,
                          const at::Tensor& kind,
                          int64_t n_categories);

/// One subject's loss: accuracy on the whole images less that on the manipulated ones, categories pooled. [] float64
at::Tensor subject_accuracy_delta(const at::Tensor& correct, const at::Tensor& kind);

/// A subject's number and loss of accuracy. The platform draws subjects by number from 1 to n - 1, so that a subject 0,
/// or n where they count from 1, is never drawn.
struct SubjectDelta {
  int64_t number;
  double delta;
};

/// The platform's `baker_accuracy_delta`: for i = 0..99, the subjects whose numbers RandomState(i).choice(range(1, n),
/// n // 2, replace=False) draws; max(0, 1 - |h - m| / h), h the mean of their losses and m the model's.
/// @return [100]. Source: Baker & Elder 2022; BENCHMARKS.md 2.13.
std::vector<double> accuracy_delta_scores(double model, const std::vector<SubjectDelta>& subjects);

/// Its ceiling: 100 draws as above from one RandomState(0); h of the drawn, r of the rest, max(0, 1 - |h - r| / r) raised
/// by Spearman-Brown. The platform takes the median.
std::vector<double> accuracy_delta_halves(const std::vector<SubjectDelta>& subjects);

}  // namespace cortiscore
