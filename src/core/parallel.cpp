#include "src/core/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

namespace cortiscore {
namespace {

std::atomic<int64_t> g_threads{0};
thread_local bool t_inside = false;

}  // namespace

int64_t thread_count() {
  const int64_t set = g_threads.load();
  return set > 0 ? set : std::max<int64_t>(1, std::thread::hardware_concurrency());
}

void set_thread_count(int64_t n) {
  g_threads = n;
}

void parallel_for(int64_t n, const std::function<void(int64_t)>& body) {
  if (n <= 0) return;
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const bool grad = at::GradMode::is_enabled();
  const auto work = [&] {
    const bool outer = std::exchange(t_inside, true);
    const at::AutoGradMode grad_mode(grad);
    try {
      for (int64_t i = next++; i < n; i = next++) body(i);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failure_mutex);
      if (!failure) failure = std::current_exception();
      next = n;
    }
    t_inside = outer;
  };
  // A single worker is a fresh thread too unless the caller is already down to one intra-operator thread:
  // at::set_num_threads is per thread, and the caller's setting stays as it is.
  int64_t workers = t_inside ? 0 : std::min(n, thread_count());
  if (workers == 1 && at::get_num_threads() == 1) workers = 0;
  if (workers == 0) {
    work();
  } else {
    std::vector<std::thread> threads;
    for (int64_t t = 0; t < workers; ++t) {
      threads.emplace_back([&] {
        at::set_num_threads(1);
        work();
      });
    }
    for (auto& thread : threads) thread.join();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace cortiscore
