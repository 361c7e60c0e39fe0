#pragma once
#include <optional>

#include "src/score/evaluate.h"

namespace cortiscore {

/// The target's presentations in an order, where one is asked for.
/// @throws Error(kBadInput)  source and target hold different numbers of presentations
at::Tensor ordered_target(const MetricInputs& inputs, const std::optional<at::Tensor>& order);

/// The parts of `evaluate` that map nothing. @param order  of the target's presentations
Evaluation evaluate_rdm(const MetricName& name,
                        const MetricInputs& inputs,
                        const std::optional<at::Tensor>& order);
Evaluation evaluate_cka(const MetricName& name,
                        const MetricInputs& inputs,
                        const std::optional<at::Tensor>& order);
Evaluation evaluate_pearson(const MetricName& name,
                            const MetricInputs& inputs,
                            const std::optional<at::Tensor>& order);

}  // namespace cortiscore
