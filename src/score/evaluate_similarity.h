#pragma once
#include <optional>

#include "src/score/evaluate.h"

namespace cortiscore {

/// @throws Error(kBadInput)  source and target hold different numbers of presentations
void check_rows(const at::Tensor& source, const at::Tensor& target);

/// The parts of `evaluate` that map nothing. @param order  of the target's presentations
Evaluation evaluate_rdm(const MetricName& name,
                        const MetricInputs& inputs,
                        const std::optional<at::Tensor>& order);
Evaluation evaluate_cka(const MetricName& name,
                        const MetricInputs& inputs,
                        const at::Tensor& target);
Evaluation evaluate_pearson(const MetricInputs& inputs, const at::Tensor& target);

}  // namespace cortiscore
