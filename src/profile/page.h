#pragma once
#include <string>
#include <vector>

#include "src/results/json.h"

namespace cortiscore {

/// One HTML file that shows profiles, a job on a machine or several machines side by side: styles,
/// scripts and data are in it, and its content security policy lets nothing else run or load.
/// @param profiles  by data_manifests/profile.schema.json
/// @throws Error(kBadInput)  the page's parts are not where they were installed
std::string profile_page(const std::vector<Json>& profiles);

}  // namespace cortiscore
