#pragma once
#include <string>
#include <utility>
#include <vector>

namespace cortiscore {

/// The known names with how many letters differ from `name`, the nearest first.
std::vector<std::pair<size_t, std::string>> by_distance(const std::string& name,
                                                        const std::vector<std::string>& known);

/// The one of `known` that was probably meant: few letters differ, or `name` begins it; "" where
/// none is near.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);

}  // namespace cortiscore
