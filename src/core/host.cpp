#include "src/core/host.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <thread>

#include <sched.h>
#include <unistd.h>

namespace cortiscore {
namespace {

// A number that is the first word of a file; `otherwise` where there is none ("max", no file).
int64_t number_of(const char* path, int64_t otherwise) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? value : otherwise;
}

constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

// Of control groups, version 2 and 1.
int64_t memory_limit() {
  return std::min(number_of("/sys/fs/cgroup/memory.max", kNone),
                  number_of("/sys/fs/cgroup/memory/memory.limit_in_bytes", kNone));
}

int64_t memory_in_use() {
  return std::max(number_of("/sys/fs/cgroup/memory.current", 0),
                  number_of("/sys/fs/cgroup/memory/memory.usage_in_bytes", 0));
}

double quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double of = 0, period = 0;
  if (file >> of >> period && period > 0) return of / period;
  const auto v1 = number_of("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", -1);
  const auto per = number_of("/sys/fs/cgroup/cpu/cpu.cfs_period_us", 100000);
  return v1 > 0 ? static_cast<double>(v1) / static_cast<double>(per) : HUGE_VAL;
}

}  // namespace

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

int64_t memory_bytes() {
  const int64_t physical =
      static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<int64_t>(sysconf(_SC_PAGE_SIZE));
  return std::min(physical, memory_limit());
}

int64_t available_bytes() {
  std::ifstream info("/proc/meminfo");
  int64_t available = memory_bytes();
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("MemAvailable:")) available = std::stoll(line.substr(13)) * 1024;
  }
  const auto limit = memory_limit();
  return limit == kNone ? available
                        : std::min(available, std::max<int64_t>(0, limit - memory_in_use()));
}

int64_t usable_threads() {
  auto threads = static_cast<int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    threads = std::min<int64_t>(threads, CPU_COUNT(&set));
  if (const double most = quota(); most < static_cast<double>(threads))
    threads = std::max<int64_t>(1, std::llround(most));
  return threads;
}

}  // namespace cortiscore
