#pragma once
#include <string>
#include <vector>

#include "src/engine/layer_profile.h"

namespace cortiscore::cli {

/// Profiles along depth as an SVG picture: a line a benchmark with error bars over splits (or
/// subjects), the best layer ringed.
std::string profile_svg(const std::string& network, const std::vector<LayerProfile>& profiles);

}  // namespace cortiscore::cli
