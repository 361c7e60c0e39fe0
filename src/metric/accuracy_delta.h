#pragma once
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Which subjects each of the platform's 100 draws takes: [100, n] float64, 0 or 1. The platform
/// draws subjects by number, choice(range(1, n), n // 2, replace=False), so that a subject 0, or n
/// where they count from 1, is never drawn.
/// @param numbers    of the subjects
/// @param one_state  draw i from one RandomState(0) (the ceiling); else from RandomState(i)
///                   (scores)
/// Source: Baker & Elder 2022; the platform's baker_accuracy_delta; BENCHMARKS.md 2.13.
at::Tensor drawn_subjects(const std::vector<int64_t>& numbers, bool one_state);

/// max(0, 1 - |h - m| / h), h the mean loss of the drawn subjects and m the model's; 0 where that
/// is not defined.
/// @param model  [b] float64  @param subjects  [b or 1, n]: losses of accuracy
/// @param drawn  [k, n]  @return [b, k]
at::Tensor accuracy_delta_scores(const at::Tensor& model,
                                 const at::Tensor& subjects,
                                 const at::Tensor& drawn);

/// Its ceiling: h of the drawn, r of the rest, max(0, 1 - |h - r| / r) raised by Spearman-Brown.
/// The platform takes the median over draws. @return [b, k]
at::Tensor accuracy_delta_halves(const at::Tensor& subjects, const at::Tensor& drawn);

}  // namespace cortiscore
