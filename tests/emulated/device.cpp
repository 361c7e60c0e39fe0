#include "tests/emulated/device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/emulated/block.h"

namespace cortiscore::emulated {
namespace {

// Beyond these bytes of device memory or threads, a launch runs in one order.
constexpr size_t kMostCompared = size_t{512} << 20;
constexpr int64_t kMostThreads = int64_t{1} << 18;

int64_t number_of(const char* name, int64_t otherwise) {
  const char* const text = std::getenv(name);
  return text && *text ? std::atoll(text) : otherwise;
}

/// One launch or copy at a time, and the memory that they work on.
struct Device {
  std::mutex mutex;
  std::map<char*, size_t> memory;                // bytes, by address
  std::map<std::string, size_t> shared_opt_ins;  // dynamic bytes, by kernel
  std::map<std::string, int64_t> launches;
  int64_t findings = 0;

  size_t shared_allowed(const std::string& kernel) const {
    const auto asked = shared_opt_ins.find(kernel.substr(0, kernel.find('<')));
    return std::max(limits().shared_default, asked == shared_opt_ins.end() ? 0 : asked->second);
  }

  // The allocation that holds an address, or memory.end().
  std::map<char*, size_t>::iterator holder(const void* address) {
    auto* const at = static_cast<char*>(const_cast<void*>(address));
    auto found = memory.upper_bound(at);
    if (found == memory.begin()) return memory.end();
    --found;
    return at < found->first + std::max<size_t>(found->second, 1) ? found : memory.end();
  }

  void open(bool to_host) const {
    for (const auto& [begin, bytes] : memory) reach(begin, bytes, to_host);
  }
};

thread_local cudaError_t t_last_error = cudaSuccess;

Device& device() {
  static auto* const made = new Device;  // outlives every static object
  return *made;
}

using Contents = std::map<char*, std::vector<char>>;

Contents contents() {
  const Unseen unseen;
  Contents copy;
  for (const auto& [begin, bytes] : device().memory) copy[begin].assign(begin, begin + bytes);
  return copy;
}

void restore(const Contents& given) {
  const Unseen unseen;
  for (const auto& [begin, bytes] : given) std::copy(bytes.begin(), bytes.end(), begin);
}

void compare(const Grid& grid, const Contents& first, Order order) {
  for (const auto& [begin, bytes] : contents()) {
    const auto differs = std::mismatch(bytes.begin(), bytes.end(), first.at(begin).begin()).first;
    if (differs == bytes.end()) continue;
    const auto at = std::to_string(differs - bytes.begin());
    note_finding(grid.kernel + ": threads in another order (" +
                 (order == Order::kBackward ? "last first" : "by chance") +
                 ") leave other bits, from byte " + at + " of " + std::to_string(bytes.size()) +
                 " on: a race, or memory that nothing set");
    return;
  }
}

void run_in(Grid& grid, Order order, unsigned seed) {
  std::mt19937 random(seed);
  const int64_t n = grid.n_blocks();
  std::vector<int64_t> turns;
  if (order == Order::kByChance) {
    turns.resize(static_cast<size_t>(n));
    std::iota(turns.begin(), turns.end(), int64_t{0});
    std::shuffle(turns.begin(), turns.end(), random);
  }
  const int64_t before = findings();
  happens_before(&grid.begun);
  for (int64_t i = 0; i < n && findings() == before; ++i) {
    const int64_t b = order == Order::kForward    ? i
                      : order == Order::kBackward ? n - 1 - i
                                                  : turns[static_cast<size_t>(i)];
    const auto at = [](int64_t value) { return static_cast<unsigned>(value); };
    Block block(
        grid,
        {at(b % grid.size.x), at(b / grid.size.x % grid.size.y), at(b / grid.size.x / grid.size.y)},
        order, random);
    block.run();
  }
  happens_after(&grid.ended);
}

cudaError_t refusal(const Grid& grid) {
  const auto& most = limits();
  const auto refuse = [&](const char* what, size_t is, size_t at_most, cudaError_t error) {
    std::fprintf(stderr, "emulated device: %s is not launched: %s %zu, at most %zu\n",
                 grid.kernel.c_str(), what, is, at_most);
    return error;
  };
  const std::tuple<const char*, unsigned, unsigned> sizes[] = {
      {"grid.x", grid.size.x, most.grid.x},    {"grid.y", grid.size.y, most.grid.y},
      {"grid.z", grid.size.z, most.grid.z},    {"block.x", grid.block.x, most.block.x},
      {"block.y", grid.block.y, most.block.y}, {"block.z", grid.block.z, most.block.z}};
  for (const auto& [what, is, at_most] : sizes) {
    if (is == 0 || is > at_most) return refuse(what, is, at_most, cudaErrorInvalidConfiguration);
  }
  const size_t threads = size_t{grid.block.x} * grid.block.y * grid.block.z;
  if (threads > most.threads)
    return refuse("threads a block", threads, most.threads, cudaErrorInvalidConfiguration);
  if (grid.dynamic_bytes > grid.shared_bytes_allowed)
    return refuse("bytes of shared memory", grid.dynamic_bytes, grid.shared_bytes_allowed,
                  cudaErrorInvalidValue);
  return cudaSuccess;
}

}  // namespace

const Limits& limits() {
  static const Limits made = [] {
    const auto asked = static_cast<int>(number_of("CORTISCORE_EMULATED_ARCH", 90));
    constexpr std::pair<int, size_t> kKibibytes[] = {{80, 163}, {86, 99},   {89, 99},
                                                     {90, 227}, {100, 227}, {120, 99}};
    for (const auto& [capability, kibibytes] : kKibibytes) {
      if (capability == asked) return Limits{capability, kibibytes << 10};
    }
    std::fprintf(stderr, "CORTISCORE_EMULATED_ARCH=%d: expected 80, 86, 89, 90, 100 or 120\n",
                 asked);
    std::exit(2);
  }();
  return made;
}

int64_t findings() {
  return device().findings;
}

void note_finding(const std::string& text) {
  const Unseen unseen;
  ++device().findings;
  std::fprintf(stderr, "emulated device: %s\n", text.c_str());
}

size_t shared_opt_in(const std::string& kernel) {
  const auto asked = device().shared_opt_ins.find(kernel);
  return asked == device().shared_opt_ins.end() ? 0 : asked->second;
}

std::map<std::string, int64_t>& launches() {
  return device().launches;
}

void* garbage(size_t bytes, std::mt19937* random) {
  const Unseen unseen;
  auto* const begin = static_cast<unsigned char*>(std::malloc(std::max<size_t>(bytes, 1)));
  for (size_t i = 0; i < bytes; ++i)
    begin[i] = random ? static_cast<unsigned char>((*random)()) : 0xFF;
  return begin;
}

void launch(const char* kernel, dim3 size, dim3 block, size_t bytes, Body body, void* arguments) {
  auto& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  Grid grid{kernel, size, block, bytes, d.shared_allowed(kernel), body, arguments};
  if (const auto error = refusal(grid); error != cudaSuccess) {
    t_last_error = error;
    return;
  }
  ++d.launches[kernel];
  size_t held = 0;
  for (const auto& [begin, size_of] : d.memory) held += size_of;
  const int64_t orders = held <= kMostCompared && grid.n_blocks() * grid.n_threads() <= kMostThreads
                             ? number_of("CORTISCORE_EMULATED_ORDERS", 3)
                             : int64_t{1};
  d.open(true);
  const auto given = orders > 1 ? contents() : Contents();
  Contents first;
  const int64_t before = d.findings;
  for (int64_t i = 0; i < orders && d.findings == before; ++i) {
    const auto order = i == 0 ? Order::kForward : i == 1 ? Order::kBackward : Order::kByChance;
    if (i > 0) restore(given);
    run_in(grid, order, static_cast<unsigned>(i));
    if (i == 0 && orders > 1) first = contents();
    if (i > 0 && d.findings == before) compare(grid, first, order);
  }
  d.open(false);
  if (d.findings != before) t_last_error = cudaErrorLaunchFailure;
}

// --- what kernels call ---------------------------------------------------------------------------

const Place& here() {
  return Block::current()->here();
}

void* dynamic_shared() {
  return Block::current()->dynamic_shared();
}

void* static_shared(const char* name, int line, size_t bytes) {
  return Block::current()->static_shared(name, line, bytes);
}

void launch_bounds(unsigned threads) {
  Block::current()->launch_bounds(threads);
}

void block_barrier(const char* file, int line) {
  Wait wait{file, line};
  static const char* const without = std::getenv("CORTISCORE_EMULATED_WITHOUT");
  if (without) {
    const Unseen unseen;
    if (("/" + wait.place()).ends_with("/" + std::string(without))) return;
  }
  Block::current()->wait_at_barrier(wait);
}

uint64_t warp_exchange(
    WarpOp op, unsigned mask, uint64_t bits, int operand, const char* file, int line) {
  return Block::current()->exchange_with_warp({file, line, op, mask, bits, operand});
}

cudaError_t func_set_attribute(const char* kernel, cudaFuncAttribute /*attribute*/, int value) {
  const std::lock_guard<std::mutex> lock(device().mutex);
  if (value < 0 || static_cast<size_t>(value) > limits().shared_optin)
    return t_last_error = cudaErrorInvalidValue;
  const std::string name = kernel;
  device().shared_opt_ins[name.substr(0, name.find('<'))] = static_cast<size_t>(value);
  return cudaSuccess;
}

}  // namespace cortiscore::emulated

#ifdef CORTISCORE_EMULATED_TSAN
// Takes and frees no memory: ThreadSanitizer may be in the midst of that.
extern "C" void __tsan_on_report(void* /*report*/) {
  ++cortiscore::emulated::device().findings;
}
#endif

// --- the runtime API -----------------------------------------------------------------------------

using cortiscore::emulated::device;
using cortiscore::emulated::limits;
using cortiscore::emulated::reach;
using cortiscore::emulated::t_last_error;

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  const std::lock_guard<std::mutex> lock(device().mutex);
  auto* const begin = static_cast<char*>(cortiscore::emulated::garbage(bytes, nullptr));
  device().memory[begin] = bytes;
  reach(begin, bytes, false);
  *pointer = begin;
  return cudaSuccess;
}

cudaError_t cudaFree(void* pointer) {
  if (!pointer) return cudaSuccess;
  const std::lock_guard<std::mutex> lock(device().mutex);
  const auto found = device().memory.find(static_cast<char*>(pointer));
  if (found == device().memory.end()) return t_last_error = cudaErrorInvalidValue;
  reach(found->first, found->second, true);
  device().memory.erase(found);
  std::free(pointer);
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  auto& d = device();
  const std::lock_guard<std::mutex> lock(d.mutex);
  const std::pair<const void*, bool> ends[] = {{to, kind != cudaMemcpyDeviceToHost},
                                               {from, kind != cudaMemcpyHostToDevice}};
  for (const auto& [address, on_device] : ends) {
    const auto held = d.holder(address);
    if ((held != d.memory.end()) != on_device) return t_last_error = cudaErrorInvalidValue;
    if (on_device && static_cast<const char*>(address) + bytes > held->first + held->second)
      return t_last_error = cudaErrorInvalidValue;
  }
  d.open(true);
  if (bytes > 0) std::memcpy(to, from, bytes);
  d.open(false);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  return *count = 1, cudaSuccess;
}

cudaError_t cudaGetDevice(int* number) {
  return *number = 0, cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int /*device*/) {
  *value = static_cast<int>(attribute == cudaDevAttrMaxSharedMemoryPerBlockOptin
                                ? limits().shared_optin
                                : limits().shared_default);
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  return std::exchange(t_last_error, cudaSuccess);
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorLaunchFailure:
      return "unspecified launch failure";
    default:
      return "invalid argument";
  }
}
