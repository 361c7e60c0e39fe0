#pragma once
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/resample/bootstrap.h"

namespace cortiscore {

/// Values of some neuroids for every draw of presentations: [draws.n, n_splits, n_neuroids]
/// float64, or [1, ...] where presentations are not drawn.
using PerDraw = std::function<at::Tensor(const Draws&)>;

/// What an interval of a score of recorded responses is over.
struct DrawnAxes {
  std::set<Axis> over = {Axis::kNeuroid};  ///< neuroids, presentations or both
  int64_t n_presentations = 0;
  uint64_t presentation_seed = 0;  ///< neuroids are drawn by BootstrapOptions::seed

  bool draw(Axis axis) const { return over.contains(axis); }
};

/// "neuroid", "presentation" or both with commas between.
/// @throws Error(kUsage)  another word
std::set<Axis> drawn_axes(const std::string& text);

/// As bootstrap_over_neuroids, over the axes given: neuroids and presentations are drawn
/// independently of each other, predictions are fixed. Each draw's value is the median over
/// neuroids, then the mean over splits.
/// @param parts  side by side they are the estimate's neuroids; asked where presentations are drawn
/// @param on     where those values are
void bootstrap_over(Estimate& estimate,
                    const DrawnAxes& axes,
                    const std::vector<PerDraw>& parts,
                    const BootstrapOptions& options,
                    const at::Device& on);

}  // namespace cortiscore
