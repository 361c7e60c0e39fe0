#pragma once
#include <functional>
#include <vector>

#include "src/linalg/feature_blocks.h"

namespace cortiscore {

/// Reductions of a layer whose columns are dear, side by side: every sweep over them serves all
/// that wait for one. One of them runs at a time, in a thread of its own, until it asks for the
/// columns or is done; once all have, the sweep is the caller's. The first exception, of a
/// reduction or of the columns, is rethrown when all have stopped.
/// @param blocks  of the layer  @param reductions  each asks `each` of what it is given as often as
///                it likes
void reduce_in_step(FeatureBlocks& blocks,
                    const std::vector<std::function<void(FeatureBlocks&)>>& reductions);

}  // namespace cortiscore
