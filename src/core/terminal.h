#pragma once
#include <cstdint>
#include <string>

namespace cortiscore {

/// Columns of the terminal that a file descriptor is, asked anew each time; 0 where it is none, or
/// does not say.
int64_t terminal_columns(int descriptor);

/// Columns that text takes at most: a character that may be twice as wide as a letter counts as
/// two.
int64_t columns_of(const std::string& text);

/// Text in so many columns, its end an ellipsis where it is longer; as it is where there is no
/// limit (0).
std::string cut_to(const std::string& text, int64_t columns);

}  // namespace cortiscore
