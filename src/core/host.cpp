#include "src/core/host.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>
#include <thread>
#include <vector>

#include <sched.h>
#include <unistd.h>

#include "src/core/process_memory.h"

namespace cortiscore {
namespace {

// A number that is the first word of a file; `otherwise` where there is none ("max", no file).
int64_t number_of(const std::string& path, int64_t otherwise) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? value : otherwise;
}

constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

int64_t memory_limit() {
  return number_of(control_group_file("memory.max", "memory", "memory.limit_in_bytes"), kNone);
}

// Without copies of files, which are given up where memory is asked for.
int64_t memory_in_use() {
  int64_t bytes =
      number_of(control_group_file("memory.current", "memory", "memory.usage_in_bytes"), 0);
  std::ifstream parts(control_group_file("memory.stat", "memory", "memory.stat"));
  std::string name;
  for (int64_t part = 0; parts >> name >> part;) {
    if (name == "inactive_file" || name == "active_file") bytes -= part;
  }
  return std::max<int64_t>(0, bytes);
}

// What Slurm gave a job, in bytes, which need not be a limit of its control group.
int64_t memory_of_job() {
  const auto mebibytes = [](const char* name) {
    const char* text = std::getenv(name);
    return text ? std::strtoll(text, nullptr, 10) : 0;
  };
  auto of_job = mebibytes("SLURM_MEM_PER_NODE");
  if (of_job <= 0) of_job = mebibytes("SLURM_MEM_PER_CPU") * mebibytes("SLURM_CPUS_ON_NODE");
  return of_job > 0 ? of_job << 20 : kNone;
}

double quota() {
  std::ifstream file(control_group_file("cpu.max", "", ""));
  double of = 0, period = 0;
  if (file >> of >> period && period > 0) return of / period;
  const auto v1 = number_of(control_group_file("", "cpu", "cpu.cfs_quota_us"), -1);
  const auto per = number_of(control_group_file("", "cpu", "cpu.cfs_period_us"), 100000);
  return v1 > 0 ? static_cast<double>(v1) / static_cast<double>(per) : HUGE_VAL;
}

}  // namespace

std::string utc_now() {
  std::timespec now{};
  std::timespec_get(&now, TIME_UTC);
  std::tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char text[40];
  const auto length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03ldZ", now.tv_nsec / 1000000);
  return text;
}

std::string control_group_file(const std::string& name,
                               const std::string& controller,
                               const std::string& name_in_v1) {
  namespace fs = std::filesystem;
  const fs::path root = "/sys/fs/cgroup";
  std::error_code error;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // number:controllers:/path, of version 2 0::/path. In a container the path may be another's,
    // and its own is the root.
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const auto path = line.substr(second + 2);
    std::vector<fs::path> places;
    if (controllers == ",," && !name.empty())
      places = {root / path / name, root / name, root / "unified" / path / name};
    if (!controller.empty() && controllers.find("," + controller + ",") != std::string::npos)
      places = {root / controller / path / name_in_v1, root / controller / name_in_v1};
    for (const auto& place : places) {
      if (fs::is_regular_file(place, error)) return place.string();
    }
  }
  return {};
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const auto at = line.find(": ");
    if (line.starts_with("model name") && at != std::string::npos) return line.substr(at + 2);
  }
  return "unknown";
}

int64_t memory_bytes() {
  const int64_t physical =
      static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<int64_t>(sysconf(_SC_PAGE_SIZE));
  return std::min({physical, memory_limit(), memory_of_job()});
}

int64_t available_bytes() {
  std::ifstream info("/proc/meminfo");
  int64_t available = memory_bytes();
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("MemAvailable:")) available = std::stoll(line.substr(13)) * 1024;
  }
  if (const auto limit = memory_limit(); limit != kNone)
    available = std::min(available, std::max<int64_t>(0, limit - memory_in_use()));
  if (const auto job = memory_of_job(); job != kNone)
    available = std::min(available, std::max<int64_t>(0, job - resident_bytes().now));
  return available;
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
