#include "src/core/host_allocator.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <sys/mman.h>

#include <c10/core/CPUAllocator.h>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

constexpr size_t kLarge = size_t{1} << 20;
constexpr size_t kHuge = size_t{2} << 20;     // a transparent huge page
constexpr size_t kKept = size_t{1536} << 20;  // what may lie idle
constexpr size_t kAlignment = 64;

class CachingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t n) override {
    void* data = n < kLarge ? (n ? aligned(kAlignment, n) : nullptr) : take(n);
    return {data, data, raw_deleter(), c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &CachingAllocator::give_back; }
  void copy_data(void* to, const void* from, size_t n) const override {
    default_copy_data(to, from, n);
  }

  static CachingAllocator& instance() {
    static auto* allocator = new CachingAllocator;  // outlives every tensor
    return *allocator;
  }

 private:
  static void* aligned(size_t alignment, size_t n) {
    void* data = std::aligned_alloc(alignment, (n + alignment - 1) / alignment * alignment);
    if (!data) {
      char gib[32];
      std::snprintf(gib, sizeof gib, "%.2f", static_cast<double>(n) / (1 << 30));
      throw Error(
          ErrorKind::kOutOfMemory,
          "host memory: found no room, expected " + std::string(gib) +
              " GiB more for one tensor. Lower --memory-gib or --candidates, or free memory.");
    }
    return data;
  }

  void* take(size_t n) {
    const std::lock_guard<std::mutex> lock(mutex_);
    void* data = nullptr;
    if (auto& idle = idle_[n]; !idle.empty()) {
      data = idle.back();
      idle.pop_back();
      idle_bytes_ -= n;
    } else {
      try {
        data = aligned(kHuge, n);
      } catch (const Error&) {
        free_idle();
        data = aligned(kHuge, n);
      }
      ::madvise(data, n, MADV_HUGEPAGE);
    }
    size_of_[data] = n;
    return data;
  }

  void free_idle() {
    for (auto& [n, all] : idle_) {
      for (void* data : all) std::free(data);
      all.clear();
    }
    idle_bytes_ = 0;
  }

  static void give_back(void* data) {
    auto& self = instance();
    {
      const std::lock_guard<std::mutex> lock(self.mutex_);
      const auto found = self.size_of_.find(data);
      if (found != self.size_of_.end()) {
        const size_t n = found->second;
        self.size_of_.erase(found);
        if (self.idle_bytes_ + n <= kKept) {
          self.idle_[n].push_back(data);
          self.idle_bytes_ += n;
          return;
        }
      }
    }
    std::free(data);
  }

  std::mutex mutex_;
  std::unordered_map<size_t, std::vector<void*>> idle_;
  std::unordered_map<void*, size_t> size_of_;
  size_t idle_bytes_ = 0;
};

}  // namespace

void use_caching_host_allocator() {
  c10::SetCPUAllocator(&CachingAllocator::instance(), 255);
}

}  // namespace cortiscore
