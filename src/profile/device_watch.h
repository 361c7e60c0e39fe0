#pragma once
#include <memory>

#include <ATen/core/Tensor.h>

#include "src/results/json.h"

namespace cortiscore {

/// Asks a GPU's driver, ten times a second while it lives, for clock, power and temperature, and
/// whether it slows itself down. Nothing on a CPU, and where the driver's library (NVML) is not
/// there.
class DeviceWatch {
 public:
  explicit DeviceWatch(const at::Device& device);
  ~DeviceWatch();
  DeviceWatch(const DeviceWatch&) = delete;
  DeviceWatch& operator=(const DeviceWatch&) = delete;

  /// `device` of a profile, means over the time since; null where nobody was asked.
  Json json() const;

 private:
  class Sampler;
  std::unique_ptr<Sampler> sampler_;
};

}  // namespace cortiscore
