#include "src/core/device.h"

namespace cortiscore {

std::string name_of(const at::Device& device) {
  return device.is_cpu() ? "cpu" : device.str();
}

std::string bus_id_of(const at::Device& /*device*/) {
  return {};
}

}  // namespace cortiscore
