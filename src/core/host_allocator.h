#pragma once
#include <cstdint>

namespace cortiscore {

/// Replaces Torch's CPU allocator by one that keeps large blocks for the next request of the same
/// size.
///
/// A network run in micro-batches of one shape asks for the same sizes over and over; from malloc
/// each of them is fresh pages that the kernel must clear, which took a third of a scoring run.
/// Blocks below 1 MiB go to malloc. Call once, before the first tensor, in programs that this
/// project owns: not in a user's process.
void use_caching_host_allocator();

/// What may lie idle at a time.
constexpr int64_t kMostIdleHostBytes = int64_t{1536} << 20;

/// From here on gives idle blocks back to the system where large blocks, in use or idle, would be
/// more than are in use now and `bytes` more. Refuses nothing, and does nothing where the allocator
/// is not used.
void allow_host_memory(int64_t bytes);

}  // namespace cortiscore
