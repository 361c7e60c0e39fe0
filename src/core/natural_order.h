#pragma once
#include <string_view>

namespace cortiscore {

/// Whether one name comes before another, numbers in them by their value: checkpoint-500 before
/// checkpoint-1000.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace cortiscore
