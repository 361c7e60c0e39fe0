#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/model/graph.h"
#include "src/model/network.h"

namespace cortiscore {

/// "1", "2 to 4", "any".
std::string text_of(const BatchSizes& sizes);

/// What an exported program says of the first axis of its input.
/// @param program  models/model.json  @param input  the input's entry in tensor_values
/// @throws Error(kBadInput)  no batch axis, or none that the range allows
BatchSizes read_batch_sizes(const graph::Json& program,
                            const graph::Json& input,
                            const std::string& where);

/// The number nearest to `wanted` that is allowed, below it where there is one.
int64_t batch_near(int64_t wanted, const BatchSizes& sizes);

/// What is found in place of features, numbers of this type in such sizes; empty for features.
std::string not_features(at::ScalarType type, const std::vector<int64_t>& sizes);

/// Fills a layer's shape, batch_axis, windows and unusable from its value's entry and the input's
/// in tensor_values: an axis whose size is the input's batch is exactly that.
/// @param type  of the numbers that its operators make
/// @return whether it has to be seen in a run (found_by_running): windows in an order that is not
///   written down, or sizes that do not tell the batch from others
bool place_batch(const graph::Json& value,
                 at::ScalarType type,
                 const graph::Json& input,
                 Layer& layer);

/// Finds where stimuli are in the layers that `place_batch` left open, by two runs of the network
/// on noise, in one order and in the other: features must follow their stimuli. Layers that do not
/// are unusable, and so are those that such a run does not reach, or where it would hold more than
/// 4 GiB.
/// @throws Error(kOutOfMemory), and a device's own errors
void found_by_running(const Network& network,
                      const std::vector<size_t>& open,
                      std::vector<Layer>& layers);

/// SHA-256 of what layers give on noise.
std::string seen_on_noise(const Network& network, const std::vector<std::string>& layers);

}  // namespace cortiscore
