#include "src/core/host_allocator.h"

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_map>

#include <sys/mman.h>

#include <c10/core/CPUAllocator.h>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

constexpr size_t kLarge = size_t{1} << 20;
constexpr size_t kHuge = size_t{2} << 20;  // a transparent huge page
constexpr size_t kAlignment = 64;
constexpr size_t kPage = 4096;

class CachingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t n) override {
    void* data = n < kLarge ? (n ? small(n) : nullptr) : take(n);
    return {data, data, raw_deleter(), c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &CachingAllocator::give_back; }
  void copy_data(void* to, const void* from, size_t n) const override {
    default_copy_data(to, from, n);
  }

  void allow(size_t more) {
    const std::lock_guard<std::mutex> lock(mutex_);
    limit_ = live_bytes_ + more;
    make_room(0);
  }

  static CachingAllocator& instance() {
    static auto* allocator = new CachingAllocator;  // outlives every tensor
    return *allocator;
  }

 private:
  [[noreturn]] static void out_of_memory(size_t n) {
    char gib[32];
    std::snprintf(gib, sizeof gib, "%.2f", static_cast<double>(n) / (1 << 30));
    throw Error(ErrorKind::kOutOfMemory,
                "host memory: found no room, expected " + std::string(gib) +
                    " GiB more for one tensor. Lower --memory-gib or --candidates, or free "
                    "memory.");
  }

  static void* small(size_t n) {
    void* data = std::aligned_alloc(kAlignment, (n + kAlignment - 1) / kAlignment * kAlignment);
    if (!data) out_of_memory(n);
    return data;
  }

  // Mapped by itself, so that giving it back gives it to the system; null where there is no room.
  static void* map(size_t n) {
    void* const mapped =
        ::mmap(nullptr, n + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto* const begin = static_cast<char*>(mapped);
    const size_t before = (kHuge - reinterpret_cast<uintptr_t>(mapped) % kHuge) % kHuge;
    if (before) ::munmap(begin, before);
    if (before < kHuge) ::munmap(begin + before + n, kHuge - before);
    ::madvise(begin + before, n, MADV_HUGEPAGE);
    return begin + before;
  }

  void* take(size_t wanted) {
    size_t n = (wanted + kPage - 1) / kPage * kPage;
    void* data = nullptr;
    const std::lock_guard<std::mutex> lock(mutex_);
    // One that is somewhat larger serves as well: its pages are there.
    const auto found = idle_.lower_bound(n);
    if (found != idle_.end() && found->first <= n + n / 8) {
      std::tie(n, data) = *found;
      idle_bytes_ -= n;
      idle_.erase(found);
    } else {
      make_room(n);
      data = map(n);
      if (!data) {
        free_idle();
        data = map(n);
        if (!data) out_of_memory(wanted);
      }
    }
    live_[data] = n;
    live_bytes_ += n;
    return data;
  }

  // Lets go of idle blocks, large ones first, as far as n more bytes ask for it.
  void make_room(size_t n) {
    while (limit_ && !idle_.empty() && live_bytes_ + idle_bytes_ + n > limit_)
      release(std::prev(idle_.end()));
  }

  using Idle = std::multimap<size_t, void*>;
  void release(Idle::iterator block) {
    ::munmap(block->second, block->first);
    idle_bytes_ -= block->first;
    idle_.erase(block);
  }

  void free_idle() {
    while (!idle_.empty()) release(idle_.begin());
  }

  static void give_back(void* data) {
    auto& self = instance();
    {
      const std::lock_guard<std::mutex> lock(self.mutex_);
      const auto found = self.live_.find(data);
      if (found != self.live_.end()) {
        const size_t n = found->second;
        self.live_.erase(found);
        self.live_bytes_ -= n;
        const size_t after = self.idle_bytes_ + n;
        if (after <= size_t{kMostIdleHostBytes} &&
            (!self.limit_ || self.live_bytes_ + after <= self.limit_)) {
          self.idle_.emplace(n, data);
          self.idle_bytes_ = after;
        } else {
          ::munmap(data, n);
        }
        return;
      }
    }
    std::free(data);
  }

  std::mutex mutex_;
  Idle idle_;                               // by size
  std::unordered_map<void*, size_t> live_;  // large blocks in use
  size_t idle_bytes_ = 0, live_bytes_ = 0, limit_ = 0;
};

}  // namespace

void use_caching_host_allocator() {
  c10::SetCPUAllocator(&CachingAllocator::instance(), 255);
}

void allow_host_memory(int64_t bytes) {
  CachingAllocator::instance().allow(static_cast<size_t>(bytes));
}

}  // namespace cortiscore
