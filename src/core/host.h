#pragma once
#include <cstdint>
#include <string>

namespace cortiscore {

/// As /proc/cpuinfo has it; "unknown" where it says nothing.
std::string cpu_name();

/// Of the machine, or of this process's control group where that is less.
int64_t memory_bytes();
/// Of that, what is free or can be freed.
int64_t available_bytes();

/// Processors that this process may use at a time: its affinity, and its control group's quota.
int64_t usable_threads();

}  // namespace cortiscore
