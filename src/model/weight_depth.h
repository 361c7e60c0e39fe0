#pragma once
#include <cstdint>
#include <vector>

#include "src/model/graph.h"

namespace cortiscore {

/// The most products of what comes from the image with what does not (convolutions, linear layers
/// and other products of matrices with weights; a recurrent operator is one) on a way from the
/// image to any value of a graph: the depth that names of networks give, 18 of ResNet-18.
/// @param n_values  values of the graph  @param input  the image's number
int64_t weight_depth(const std::vector<graph::Node>& nodes, size_t n_values, size_t input);

}  // namespace cortiscore
