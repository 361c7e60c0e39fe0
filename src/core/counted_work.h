#pragma once
#include <atomic>

namespace cortiscore {

/// Told of what a loop of our own computes, floating-point operations, and moves, bytes: Torch
/// knows of its own operators alone.
using CountWork = void (*)(double flops, double bytes);
inline std::atomic<CountWork> work_counter{nullptr};

/// null: nobody is told.
inline void count_work_with(CountWork counter) {
  work_counter = counter;
}

/// Where nobody is told it reads one pointer.
inline void count_work(double flops, double bytes) {
  if (const auto counter = work_counter.load(std::memory_order_relaxed)) counter(flops, bytes);
}

}  // namespace cortiscore
