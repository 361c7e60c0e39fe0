#pragma once
#include <cstdint>
#include <functional>
#include <limits>

namespace cortiscore {

/// Threads that `parallel_for` uses: hardware concurrency unless set (`--threads`).
int64_t thread_count();
void set_thread_count(int64_t n);

/// Another number of threads for loops that the calling thread begins, while it lives; 0: no other.
class ThreadsHere {
 public:
  explicit ThreadsHere(int64_t n);
  ~ThreadsHere();
  ThreadsHere(const ThreadsHere&) = delete;
  ThreadsHere& operator=(const ThreadsHere&) = delete;

 private:
  int64_t before_;
};

/// Calls `body(i)` for i in 0..n-1, each once, on up to `thread_count()` threads.
///
/// Every call runs with one intra-operator thread of Torch, whatever the number of threads here: a
/// sum inside an operator is then always taken in the same order, so no thread count can change a
/// bit of a score. The first exception is rethrown after all threads have stopped. Nested calls run
/// in the caller's thread.
/// @param most  threads at most, where memory is short
void parallel_for(int64_t n,
                  const std::function<void(int64_t)>& body,
                  int64_t most = std::numeric_limits<int64_t>::max());

/// One intra-operator thread of Torch in the calling thread while it lives; the number before comes
/// back.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace cortiscore
