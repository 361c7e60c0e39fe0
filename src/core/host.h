#pragma once
#include <cstdint>
#include <string>

namespace cortiscore {

/// As /proc/cpuinfo has it; "unknown" where it says nothing.
std::string cpu_name();

/// Of the machine, or of this process's control group or Slurm job where that is less.
int64_t memory_bytes();
/// Of that, what is free or can be freed.
int64_t available_bytes();

/// The time now, UTC: 2026-01-31T12:00:00.000Z.
std::string utc_now();

/// A file of this process's control group, by its name in version 2, or by the controller and its
/// name in version 1; empty where neither is there.
std::string control_group_file(const std::string& name,
                               const std::string& controller,
                               const std::string& name_in_v1);

/// Processors that this process may use at a time: its affinity, and its control group's quota.
int64_t usable_threads();

}  // namespace cortiscore
