#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/results/json.h"

namespace cortiscore {

/// What a machine can do at most, measured: the rates that a job is held to.
struct MachineLimits {
  Json flops_s = Json::object();  ///< of matrix products, by precision: float32, bfloat16, ...
  Json flops_s_one_thread = Json::object();
  double memory_bytes_s = 0, memory_bytes_s_one_thread = 0;
  double host_to_device_bytes_s = 0, device_to_host_bytes_s = 0;  ///< 0: no device
  double decode_images_s = 0;
  double disk_read_bytes_s = 0, disk_write_bytes_s = 0;  ///< 0: the folder cannot be written
  double operator_s = 0;

  Json json() const;
  static MachineLimits of(const Json& json);
};

/// Measures all of them, in less than a minute. @param folder  on the disk that is meant
MachineLimits measure_limits(const at::Device& device, const std::string& folder);

/// `machine` of a profile. Limits are those of an earlier profile where the machine is the same to
/// its fingerprint: they lie in cache_folder(), a file a machine. Where something disturbed the
/// measuring they are not kept.
/// @param again  measure them in any case
/// @param reasons  what disturbed it, a sentence each, is added
Json machine_json(const at::Device& device, bool again, std::vector<std::string>& reasons);

}  // namespace cortiscore
