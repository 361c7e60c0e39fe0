#include "src/core/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "src/core/caller.h"
#include "src/core/stage.h"

namespace cortiscore {
namespace {

std::atomic<int64_t> g_threads{0};
thread_local bool t_inside = false;
thread_local int64_t t_threads = 0;

// One intra-operator thread of Torch in a new thread. At its first use in a thread Torch takes over
// the process's number, which another caller may have set: that has to come first, or a nested loop
// would find that number and restore it.
void settle() {
  at::get_num_threads();
  at::set_num_threads(1);
}

// Threads that wait for work, so that a loop of microseconds does not pay for making any, nor for
// waking them where one loop follows the other. One loop uses them at a time.
class Pool {
 public:
  // Runs `work` in the caller and in up to `helpers` threads; helpers that have not begun when the
  // caller returns from it are not waited for. False, and nothing is done, while another loop has
  // the pool.
  bool run(int64_t helpers, const std::function<void()>& work) {
    const std::unique_lock<std::mutex> busy(busy_, std::try_to_lock);
    if (!busy) return false;
    int64_t asleep = 0;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      while (n_threads_ < helpers) start(lock);
      work_ = &work;
      wanted_ = helpers;
      asleep = asleep_;
    }
    for (int64_t i = 0; i < std::min(helpers, asleep); ++i) wake_.notify_one();
    work();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      wanted_ = 0;
    }
    if (!soon([this] { return running_ == 0; })) {
      std::unique_lock<std::mutex> lock(mutex_);
      done_.wait(lock, [this] { return running_ == 0; });
    }
    return true;
  }

 private:
  // One at a time, and until it has settled: that changes numbers of the whole process, which must
  // not happen after the caller has its own back; and in a forked child it replaces a pool of
  // Torch's, which two threads must not do at once.
  void start(std::unique_lock<std::mutex>& lock) {
    const auto before = n_threads_;
    std::thread([this] { serve(); }).detach();
    done_.wait(lock, [&] { return n_threads_ > before; });
  }

  void serve() {
    settle();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++n_threads_;
    }
    done_.notify_one();
    const auto wanted = [this] { return wanted_ > 0; };
    for (;;) {
      soon(wanted);
      std::unique_lock<std::mutex> lock(mutex_);
      ++asleep_;
      wake_.wait(lock, wanted);
      --asleep_;
      --wanted_;
      ++running_;
      const auto* work = work_;
      lock.unlock();
      (*work)();
      lock.lock();
      if (--running_ == 0) done_.notify_one();
    }
  }

  // Whether the condition came true within the time that a sleep and a wake would take.
  template <typename Condition>
  static bool soon(const Condition& condition) {
    using Clock = std::chrono::steady_clock;
    constexpr auto kWait = std::chrono::microseconds(50);
    for (const auto end = Clock::now() + kWait; Clock::now() < end;) {
      for (int i = 0; i < 16; ++i) {
        if (condition()) return true;
        pause();
      }
    }
    return false;
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::mutex busy_, mutex_;
  std::condition_variable wake_, done_;
  int64_t n_threads_ = 0, asleep_ = 0;
  std::atomic<int64_t> wanted_{0}, running_{0};  // written under the mutex
  const std::function<void()>* work_ = nullptr;
};

// Never destroyed: its threads outlive static objects. A forked child has none of them, and makes
// its own.
std::atomic<Pool*> g_pool{nullptr};

Pool& pool() {
  static std::once_flag once;
  std::call_once(once, [] { pthread_atfork(nullptr, nullptr, [] { g_pool = new Pool; }); });
  auto* existing = g_pool.load();
  if (existing) return *existing;
  auto* fresh = new Pool;
  if (!g_pool.compare_exchange_strong(existing, fresh)) {
    delete fresh;
    return *existing;
  }
  return *fresh;
}

}  // namespace

OneThread::OneThread() : before_(at::get_num_threads()) {
  if (before_ != 1) at::set_num_threads(1);
}

OneThread::~OneThread() {
  if (before_ != 1) at::set_num_threads(before_);
}

ThreadsHere::ThreadsHere(int64_t n) : before_(std::exchange(t_threads, n)) {}

ThreadsHere::~ThreadsHere() {
  t_threads = before_;
}

int64_t thread_count() {
  if (t_threads > 0) return t_threads;
  // It opens a file each time, and loops of microseconds ask.
  static const int64_t hardware = std::max<int64_t>(1, std::thread::hardware_concurrency());
  const int64_t set = g_threads.load();
  return set > 0 ? set : hardware;
}

void set_thread_count(int64_t n) {
  g_threads = n;
}

void parallel_for(int64_t n, const std::function<void(int64_t)>& body, int64_t most) {
  if (n <= 0) return;
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const bool grad = at::GradMode::is_enabled();
  const auto stage = Stage::here();
  const CallerStream stream;
  const auto caller = std::this_thread::get_id();
  const auto work = [&] {
    const bool outer = std::exchange(t_inside, true);
    std::optional<Stage> of_caller;
    const at::AutoGradMode grad_mode(grad);
    try {
      const CallerStream::Here on_stream(stream);
      if (stage.any && std::this_thread::get_id() != caller)
        of_caller.emplace(stage.name, stage.detail);
      for (int64_t i = next++; i < n; i = next++) body(i);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(failure_mutex);
      if (!failure) failure = std::current_exception();
      next = n;
    }
    t_inside = outer;
  };
  const int64_t workers = t_inside ? 1 : std::min({n, most, thread_count()});
  const OneThread one;
  if (workers == 1) {
    work();
  } else if (!pool().run(workers - 1, work)) {
    std::vector<std::thread> threads;
    for (int64_t t = 1; t < workers; ++t) {
      threads.emplace_back([&] {
        settle();
        work();
      });
    }
    work();
    for (auto& thread : threads) thread.join();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace cortiscore
