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

/// The platform's `baker_accuracy_delta`: 100 subsets of the subjects, drawn as it draws them, RandomState(i).choice(
/// range(1, n), n // 2, replace=False) for i = 0..99 (so that the first subject is never in); in each
/// max(0, 1 - |h - m| / h) with h the mean of the subjects' deltas and m the model's.
/// @return [100] float64. Source: Baker & Elder 2022; BENCHMARKS.md 2.13.
std::vector<double> accuracy_delta_scores(double model, const std::vector<double>& subjects);

}  // namespace cortiscore
