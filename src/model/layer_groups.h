#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cortiscore {

/// A name for every node of a graph, by which what a pass takes is told apart: the beginning of the
/// dotted name of the layer that the node works for, which is the next one to be there. As long a
/// beginning as leaves at most `most` names: "layer1.0", "features.12", "blocks.3".
/// @param ends  (layer, the node after which it is there)
std::vector<std::string> layer_groups(const std::vector<std::pair<std::string, int64_t>>& ends,
                                      int64_t n_nodes,
                                      size_t most = 40);

}  // namespace cortiscore
