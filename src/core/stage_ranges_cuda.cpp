#include <nvtx3/nvToolsExt.h>

#include "src/core/stage_ranges.h"

namespace cortiscore {

void range_begins(const char* stage, const std::string& detail) {
  nvtxRangePushA(detail.empty() ? stage : (std::string(stage) + " " + detail).c_str());
}

void range_ends() {
  nvtxRangePop();
}

}  // namespace cortiscore
