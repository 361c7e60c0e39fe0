#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cortiscore {

/// What else happens on a machine while something is measured: from when it was made.
class LoadWatch {
 public:
  LoadWatch();

  /// Why what was measured since is not to be trusted, a sentence each: other processes took more
  /// than a twentieth of the processors, a hypervisor kept them away, a control group's quota or
  /// heat slowed them, pages were swapped.
  std::vector<std::string> reasons() const;

 private:
  struct Counters {
    double wall_s = 0, own_cpu_s = 0, busy_cpu_s = 0, stolen_cpu_s = 0, throttled_s = 0;
    int64_t processors = 1, hot = 0, swapped_pages = 0;
  };
  static Counters read();
  Counters before_;
};

}  // namespace cortiscore
