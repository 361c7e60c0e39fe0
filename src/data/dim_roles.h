#pragma once
#include <string>

namespace cortiscore {

/// What a dim is for, by what the field calls it: presentation, neuroid, time_bin, repetition,
/// subject; "" where the name says nothing. "trial" is a repetition where those are wanted and no
/// other dim is one, else a presentation.
std::string role_of_dim(const std::string& dim);

}  // namespace cortiscore
