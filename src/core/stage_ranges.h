#pragma once
#include <string>

namespace cortiscore {

/// A range of NVTX, which Nsight shows; nothing in a build without CUDA.
void range_begins(const char* stage, const std::string& detail);
void range_ends();

}  // namespace cortiscore
