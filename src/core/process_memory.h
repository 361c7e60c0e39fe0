#pragma once
#include <cstdint>

namespace cortiscore {

/// Bytes of this process in memory, and the most that they have been; 0 where the system does not
/// say.
struct ResidentBytes {
  int64_t now = 0, most = 0;
};
ResidentBytes resident_bytes();

}  // namespace cortiscore
