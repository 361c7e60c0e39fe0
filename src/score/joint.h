#pragma once
#include <string>

#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/score/evaluate.h"

namespace cortiscore {

/// An axis of n entries, drawn as the options say; fewer draws at once where there are many
/// entries.
ResampleOptions over_axis(Axis axis, int64_t n, const BootstrapOptions& options);

/// Raw, ceiling and what becomes of both, the same entries drawn for all three.
Score joint_score(const Evaluation& raw,
                  const Evaluation& ceiling,
                  const Statistic& ceiled,
                  const ResampleOptions& over,
                  const at::TensorOptions& on);

/// The same where the convention's ratio of both is all that becomes of them.
Score ratio_score(const Evaluation& raw,
                  const Evaluation& ceiling,
                  const CeilingConvention& convention,
                  const ResampleOptions& over,
                  const at::TensorOptions& on);

/// Raw alone.
Score without_ceiling(const Evaluation& raw,
                      const ResampleOptions& over,
                      const at::TensorOptions& on);

}  // namespace cortiscore
