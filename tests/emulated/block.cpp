#include "tests/emulated/block.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>

#include <sys/mman.h>

#include "tests/emulated/device.h"

namespace cortiscore::emulated {
namespace {

constexpr unsigned kWarp = 32;
constexpr size_t kPage = 4096;

Block* g_current = nullptr;

Stack* new_stack() {
  auto* const stack = new Stack;
  void* const room = ::mmap(nullptr, Stack::kBytes + kPage, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) std::abort();
  ::mprotect(room, kPage, PROT_NONE);  // a stack that is too small is seen
  stack->begin = static_cast<char*>(room) + kPage;
#ifdef CORTISCORE_EMULATED_TSAN
  stack->tsan = __tsan_create_fiber(0);
#endif
  return stack;
}

/// Stacks of threads, which block after block runs on: never freed.
std::vector<Stack*>& stacks(unsigned n) {
  static auto* const all = new std::vector<Stack*>;
  while (all->size() < n) all->push_back(new_stack());
  return *all;
}

/// Gives a fiber a stack that is there already.
struct Given {
  Stack* stack;
  boost::context::stack_context allocate() const {
    boost::context::stack_context context;
    context.size = Stack::kBytes;
    context.sp = stack->begin + Stack::kBytes;
    return context;
  }
  void deallocate(boost::context::stack_context& /*context*/) const {}
};

}  // namespace

Block* Block::current() {
  return g_current;
}

Block::Block(Grid& grid, uint3 place, Order order, std::mt19937& random)
    : grid_(grid),
      place_(place),
      order_(order),
      random_(random),
      shared_bytes_(grid.dynamic_bytes) {
  dynamic_ = garbage(grid.dynamic_bytes);
  const unsigned n = grid.n_threads();
  {
    const Unseen unseen;
    threads_ = std::vector<Thread>(n);
    events_.resize(2 + 2 * ((n + kWarp - 1) / kWarp));
  }
  const auto& all = stacks(n);
  // By chance on another's stack: ThreadSanitizer takes those of two blocks that share one for one
  // thread, and sees no race between them.
  const unsigned shift = order == Order::kByChance ? static_cast<unsigned>(random()) % n : 0;
  for (unsigned t = 0; t < n; ++t) start(t, all[(t + shift) % n]);
  g_current = this;
}

Block::~Block() {
  g_current = nullptr;
  const Unseen unseen;
  threads_ = std::vector<Thread>();
  for (const auto& [name, variable] : statics_) std::free(variable);
  events_ = std::vector<int64_t>();
  std::free(dynamic_);
}

// --- threads -------------------------------------------------------------------------------------

void Block::start(unsigned t, Stack* stack) {
  auto& thread = threads_[t];
  const auto& size = grid_.block;
  thread.place = {{t % size.x, t / size.x % size.y, t / size.x / size.y}, place_, size, grid_.size};
  thread.stack = stack;
  reach(stack->begin, Stack::kBytes, true);
  thread.fiber = boost::context::fiber(std::allocator_arg, Given{stack},
                                       [this, &thread](boost::context::fiber&& host) {
                                         thread.host = std::move(host);
                                         host_.after_entering(nullptr);
                                         happens_after(&grid_.begun);
                                         grid_.body(grid_.arguments);
                                         happens_before(&grid_.ended);
                                         thread.state = State::kDone;
                                         host_.before_leaving(nullptr);
                                         return std::move(thread.host);
                                       });
}

void Block::enter(Thread& thread) {
  running_ = &thread;
  host_.before_entering(*thread.stack);
  thread.fiber = std::move(thread.fiber).resume();
  host_.after_returning();
  running_ = nullptr;
}

void Block::leave(State state, const Wait& wait) {
  auto& thread = *running_;
  thread.wait = wait;
  thread.state = state;
  void* fake = nullptr;
  host_.before_leaving(&fake);
  thread.host = std::move(thread.host).resume();
  host_.after_entering(fake);
}

void Block::run() {
  std::vector<unsigned> turns(threads_.size());
  std::iota(turns.begin(), turns.end(), 0U);
  if (order_ == Order::kBackward) std::reverse(turns.begin(), turns.end());
  const auto n = static_cast<unsigned>(threads_.size());
  const int64_t before = findings();
  while (findings() == before) {
    if (order_ == Order::kByChance) std::shuffle(turns.begin(), turns.end(), random_);
    bool moved = false;
    for (const auto t : turns) {
      if (threads_[t].state != State::kReady) continue;
      // By chance some fall behind, but never all.
      if (order_ == Order::kByChance && moved && random_() % 4 == 0) continue;
      enter(threads_[t]);
      moved = true;
    }
    if (moved) {
      for (unsigned first = 0; first < n; first += kWarp)
        release_warp(first, std::min(first + kWarp, n));
    } else if (!release_barrier()) {
      break;
    }
  }
  if (findings() != before) abandon();
}

// Threads that wait for ever: the next block's take their stacks, and nothing of theirs runs again.
void Block::abandon() {
  static auto* const kept = new std::vector<boost::context::fiber>;
  for (auto& thread : threads_) {
    if (thread.state == State::kDone) continue;
    kept->push_back(std::move(thread.fiber));
    kept->push_back(std::move(thread.host));
#ifdef CORTISCORE_EMULATED_TSAN
    void* const host = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(thread.stack->tsan, 1);
    happens_before(&grid_.ended);
    __tsan_switch_to_fiber(host, 1);
    __tsan_destroy_fiber(thread.stack->tsan);
    thread.stack->tsan = __tsan_create_fiber(0);
#endif
  }
}

// --- barriers and warps --------------------------------------------------------------------------

void Block::wait_at_barrier(const Wait& wait) {
  auto* const event = &events_[running_->barriers++ % 2];
  happens_before(event);
  leave(State::kAtBarrier, wait);
  happens_after(event);
}

uint64_t Block::exchange_with_warp(const Wait& wait) {
  auto& thread = *running_;
  const auto warp = static_cast<size_t>(&thread - threads_.data()) / kWarp;
  auto* const event = &events_[2 + 2 * warp + thread.syncs % 2];
  const bool orders = wait.op == WarpOp::kSync;  // shuffles exchange values, and order no memory
  if (orders) ++thread.syncs, happens_before(event);
  leave(State::kInWarp, wait);
  if (orders) happens_after(event);
  return thread.wait.bits;
}

// Lets a barrier go that every thread has come to. False where the block is done, or stuck, which
// is a finding.
bool Block::release_barrier() {
  const Thread* first = nullptr;
  int64_t n_ended = 0;
  for (const auto& thread : threads_) {
    if (thread.state == State::kDone) {
      ++n_ended;
    } else if (thread.state == State::kInWarp) {
      finding(&thread, "waits for its warp at " + thread.wait.place() +
                           ", and lanes of its mask never come there");
      return false;
    } else if (first && !thread.wait.same_place(first->wait)) {
      finding(&thread, "is at the barrier of " + thread.wait.place() + ", others at that of " +
                           first->wait.place());
      return false;
    } else if (!first) {
      first = &thread;
    }
  }
  if (!first) return false;
  if (n_ended > 0) {
    finding(first, "waits at the barrier of " + first->wait.place() + ", and " +
                       std::to_string(n_ended) + " threads have ended");
    return false;
  }
  for (auto& thread : threads_) thread.state = State::kReady;
  return true;
}

// Completes the exchanges of a warp whose lanes have all come.
void Block::release_warp(unsigned begin, unsigned end) {
  for (unsigned t = begin; t < end; ++t) {
    const auto& thread = threads_[t];
    if (thread.state != State::kInWarp) continue;
    const auto& wait = thread.wait;
    if (!(wait.mask >> (t - begin) & 1U))
      return finding(&thread, "is not of its own mask at " + wait.place());
    bool all = true;
    for (unsigned lane = 0; all && lane < kWarp; ++lane) {
      if (!(wait.mask >> lane & 1U)) continue;
      if (begin + lane >= end)
        return finding(&thread, "names lanes that its warp has not at " + wait.place());
      const auto& other = threads_[begin + lane];
      all = all && other.state == State::kInWarp && other.wait.same_place(wait) &&
            other.wait.mask == wait.mask;
    }
    if (all) exchange(begin, wait.mask);
  }
}

void Block::exchange(unsigned begin, unsigned mask) {
  std::array<uint64_t, kWarp> given{};
  for (unsigned lane = 0; lane < kWarp; ++lane)
    if (mask >> lane & 1U) given[lane] = threads_[begin + lane].wait.bits;
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (!(mask >> lane & 1U)) continue;
    auto& thread = threads_[begin + lane];
    auto& wait = thread.wait;
    const int own = static_cast<int>(lane);
    int from = own;  // where the operand leads out of the warp, CUDA gives a lane its own value
    if (wait.op == WarpOp::kDown) from += wait.operand;
    if (wait.op == WarpOp::kUp) from -= wait.operand;
    if (wait.op == WarpOp::kXor) from ^= wait.operand;
    if (wait.op == WarpOp::kIndex) from = wait.operand % static_cast<int>(kWarp);
    if (from < 0 || from >= static_cast<int>(kWarp)) from = own;
    if (!(wait.mask >> from & 1U))
      finding(&thread, "takes the value of lane " + std::to_string(from) +
                           ", which is not of its mask, at " + wait.place());
    wait.bits = given[static_cast<size_t>(from)];
    thread.state = State::kReady;
  }
}

// --- shared memory -------------------------------------------------------------------------------

void* Block::static_shared(const char* name, int line, size_t bytes) {
  const Unseen unseen;
  auto& variable = statics_[{name, line}];
  if (!variable) {
    variable = garbage(bytes);
    shared_bytes_ += bytes;
    if (shared_bytes_ > grid_.shared_bytes_allowed)
      finding(running_, "has " + std::to_string(shared_bytes_) +
                            " bytes of shared memory, at most " +
                            std::to_string(grid_.shared_bytes_allowed));
  }
  return variable;
}

void Block::launch_bounds(unsigned threads) {
  if (running_ == &threads_[0] && threads_.size() > threads)
    finding(running_, std::to_string(threads_.size()) + " threads, launch bounds of " +
                          std::to_string(threads));
}

void* Block::garbage(size_t bytes) {
  return emulated::garbage(bytes, order_ == Order::kForward ? nullptr : &random_);
}

void Block::finding(const Thread* thread, const std::string& text) const {
  const auto three = [](const char* what, uint3 at) {
    return std::string(", ") + what + " (" + std::to_string(at.x) + ", " + std::to_string(at.y) +
           ", " + std::to_string(at.z) + ")";
  };
  note_finding(grid_.kernel + three("block", place_) +
               (thread ? three("thread", thread->place.thread) : "") + ": " + text);
}

}  // namespace cortiscore::emulated
