#pragma once
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <boost/context/fiber.hpp>

#include <cuda_runtime_api.h>

#include "tests/emulated/sanitizers.h"

namespace cortiscore::emulated {

/// A launch under way, and what all of its blocks share.
struct Grid {
  std::string kernel;
  dim3 size, block;
  size_t dynamic_bytes = 0;
  size_t shared_bytes_allowed = 0;
  Body body = nullptr;
  void* arguments = nullptr;
  int64_t begun = 0, ended = 0;  // events, by their addresses

  int64_t n_blocks() const { return int64_t{size.x} * size.y * size.z; }
  unsigned n_threads() const { return block.x * block.y * block.z; }
};

/// In which order threads run between two barriers, and blocks. A right launch leaves the same bits
/// whatever it is.
enum class Order { kForward, kBackward, kByChance };

/// Where a thread waits, and what it brings.
struct Wait {
  const char* file = "";
  int line = 0;
  WarpOp op = WarpOp::kSync;  // of a warp's exchange, with what it takes and then gives
  unsigned mask = 0;
  uint64_t bits = 0;
  int operand = 0;

  bool same_place(const Wait& other) const {
    return line == other.line && (file == other.file || std::strcmp(file, other.file) == 0);
  }
  std::string place() const { return std::string(file) + ":" + std::to_string(line); }
};

/// One block: every thread a fiber of the calling thread, which runs until it comes to a barrier or
/// an exchange of its warp. One block runs at a time.
class Block {
 public:
  Block(Grid& grid, uint3 place, Order order, std::mt19937& random);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  /// Until every thread has ended, or something is found wrong (findings() of device.h).
  void run();

  /// The block under way; nullptr between blocks.
  static Block* current();

  // What the running thread calls.
  const Place& here() const { return running_->place; }
  void* dynamic_shared() const { return dynamic_; }
  void* static_shared(const char* name, int line, size_t bytes);
  void launch_bounds(unsigned threads);
  void wait_at_barrier(const Wait& wait);
  uint64_t exchange_with_warp(const Wait& wait);

 private:
  enum class State { kReady, kAtBarrier, kInWarp, kDone };
  struct Thread {
    Place place{};
    State state = State::kReady;
    Stack* stack = nullptr;
    boost::context::fiber fiber, host;
    Wait wait;
    unsigned barriers = 0, syncs = 0;  // that it has come to
  };

  void start(unsigned t, Stack* stack);
  void enter(Thread& thread);
  void leave(State state, const Wait& wait);
  bool release_barrier();
  void release_warp(unsigned begin, unsigned end);
  void exchange(unsigned begin, unsigned mask);
  void abandon();
  void* garbage(size_t bytes);
  void finding(const Thread* thread, const std::string& text) const;

  Grid& grid_;
  uint3 place_;
  Order order_;
  std::mt19937& random_;
  std::vector<Thread> threads_;
  Thread* running_ = nullptr;
  HostStack host_;
  void* dynamic_ = nullptr;
  size_t shared_bytes_;
  std::map<std::pair<std::string, int>, void*> statics_;
  // By their addresses these order what is before a barrier and after it: two of the block, two of
  // each warp, by turns. Whoever leaves one late would otherwise seem to follow those that have
  // come to the next.
  std::vector<int64_t> events_;
};

}  // namespace cortiscore::emulated
