#pragma once
#include <string>

#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/score/evaluate.h"

namespace cortiscore {

/// What a raw comparison becomes beside its ceiling: "r_over_c", "raw_over_ceiling_clipped" (to 0..1), "r_over_c_squared",
/// "above_chance_clipped" ((raw - chance) / (ceiling - chance)). Named in every record.
struct ChoiceRatio {
  std::string convention = "r_over_c";
  double chance = 0;

  at::Tensor operator()(const at::Tensor& raw, const at::Tensor& ceiling) const;
};

/// An axis of n entries, drawn as the options say; fewer draws at once where there are many entries.
ResampleOptions over_axis(Axis axis, int64_t n, const BootstrapOptions& options);

/// Raw, ceiling and what becomes of both, the same entries drawn for all three.
Score joint_score(const Evaluation& raw,
                  const Evaluation& ceiling,
                  const Statistic& ceiled,
                  const ResampleOptions& over,
                  const at::TensorOptions& on);

/// The same where a ratio of both is all that becomes of them.
Score ratio_score(const Evaluation& raw,
                  const Evaluation& ceiling,
                  const ChoiceRatio& ratio,
                  const ResampleOptions& over,
                  const at::TensorOptions& on);

/// Raw alone.
Score without_ceiling(const Evaluation& raw,
                      const ResampleOptions& over,
                      const at::TensorOptions& on);

}  // namespace cortiscore
