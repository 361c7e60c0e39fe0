#include "src/profile/load_watch.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <sys/resource.h>
#include <unistd.h>

#include "src/core/formatted.h"
#include "src/core/host.h"

namespace cortiscore {
namespace {

// Parts of all processors that may be somebody else's before it counts.
constexpr double kOthersMost = 0.05, kStolenMost = 0.02, kThrottledMost = 0.01;

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

// What a file of lines "name number" says; 0 where it does not.
double line_of(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string word;
  double value = 0;
  while (file >> word >> value) {
    if (word == name) return value;
  }
  return 0;
}

// How often cores were slowed since they were too hot.
int64_t hot_cores() {
  namespace fs = std::filesystem;
  int64_t all = 0;
  std::error_code error;
  for (const auto& cpu : fs::directory_iterator("/sys/devices/system/cpu", error)) {
    std::ifstream file(cpu.path() / "thermal_throttle/core_throttle_count");
    int64_t count = 0;
    if (file >> count) all += count;
  }
  return all;
}

}  // namespace

LoadWatch::Counters LoadWatch::read() {
  Counters now;
  now.wall_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  for (const auto who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    if (getrusage(who, &usage) == 0)
      now.own_cpu_s += seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  std::ifstream stat("/proc/stat");
  std::string word;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, stolen = 0;
  if (stat >> word >> user >> nice >> system >> idle >> waiting >> irq >> softirq >> stolen) {
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    now.busy_cpu_s = (user + nice + system + irq + softirq) / ticks;
    now.stolen_cpu_s = stolen / ticks;
  }
  now.processors = sysconf(_SC_NPROCESSORS_ONLN);
  // Version 2 counts microseconds, version 1 nanoseconds.
  now.throttled_s = line_of(control_group_file("cpu.stat", "", ""), "throttled_usec") * 1e-6 +
                    line_of(control_group_file("", "cpu", "cpu.stat"), "throttled_time") * 1e-9;
  now.hot = hot_cores();
  now.swapped_pages =
      static_cast<int64_t>(line_of("/proc/vmstat", "pswpin") + line_of("/proc/vmstat", "pswpout"));
  return now;
}

LoadWatch::LoadWatch() : before_(read()) {}

std::vector<std::string> LoadWatch::reasons() const {
  const auto now = read();
  std::vector<std::string> reasons;
  const double wall = now.wall_s - before_.wall_s;
  const double all = wall * static_cast<double>(now.processors);
  if (all <= 0) return reasons;
  const double busy = now.busy_cpu_s - before_.busy_cpu_s;
  const double own = now.own_cpu_s - before_.own_cpu_s;
  const auto unless_little = [&](double share, double most, const char* words) {
    if (share > most) reasons.push_back(formatted(words, 100 * share));
  };
  unless_little((busy - own) / all, kOthersMost,
                "Other processes took %.0f %% of the processors: stop them, or wait until they "
                "end.");
  unless_little((now.stolen_cpu_s - before_.stolen_cpu_s) / all, kStolenMost,
                "The hypervisor gave %.0f %% of the processors' time to other machines: repeat it "
                "when it is quieter.");
  unless_little((now.throttled_s - before_.throttled_s) / wall, kThrottledMost,
                "The control group's quota kept the process waiting for %.0f %% of the time: ask "
                "for as many processors as --threads has.");
  if (now.hot > before_.hot)
    reasons.emplace_back("Processors were slowed since they were too hot: let them cool.");
  if (const auto pages = now.swapped_pages - before_.swapped_pages; pages > 256) {
    reasons.push_back(
        formatted("%.0f pages were swapped: lower --memory-gib, or end what else holds memory.",
                  static_cast<double>(pages)));
  }
  return reasons;
}

}  // namespace cortiscore
