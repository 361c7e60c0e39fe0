#include "src/core/process_memory.h"

#include <fstream>
#include <string>

namespace cortiscore {

ResidentBytes resident_bytes() {
  ResidentBytes out;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) out.now = std::stoll(line.substr(6)) * 1024;
    if (line.starts_with("VmHWM:")) out.most = std::stoll(line.substr(6)) * 1024;
  }
  return out;
}

}  // namespace cortiscore
