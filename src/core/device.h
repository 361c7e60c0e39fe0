#pragma once
#include <string>
#include <vector>

#include <ATen/Context.h>

namespace cortiscore {

/// "cpu", "cuda" (the first device) or "cuda:N".
/// @throws Error(kUsage)  another word; Error(kNoDevice)  a device that is not here
at::Device device_of(const std::string& name);

/// The devices that a comma-separated list names, each as device_of() takes it; "cuda:all" is every
/// CUDA device.
/// @throws Error(kUsage)  they are not of one product: what one stored another would not find,
///         since a GPU's scores are its own to the bit; and as device_of()
std::vector<std::string> devices_of(const std::string& list);

/// "cpu", or the product's name as its driver gives it, e.g. "NVIDIA H100 80GB HBM3".
std::string name_of(const at::Device& device);

/// Where a GPU is on the bus, as its driver names it; empty for a CPU.
std::string bus_id_of(const at::Device& device);

/// What is free of a device's memory, or of the host's for a CPU: neither taken nor beyond a limit
/// of this process's (its control group's, its job's).
int64_t free_bytes(const at::Device& device);

/// Waits for all that was queued on a device; nothing on a CPU.
void synchronize(const at::Device& device);

/// While it lives, float32 products on a GPU are float32 (no TF32, unless allowed) and cuDNN takes
/// deterministic algorithms, chosen by rule and not by a race: the same bits on every run. What the
/// process had set before comes back, since a training loop may be the host.
class ReproducibleFloat32 {
 public:
  explicit ReproducibleFloat32(bool tf32 = false);
  ~ReproducibleFloat32();
  ReproducibleFloat32(const ReproducibleFloat32&) = delete;
  ReproducibleFloat32& operator=(const ReproducibleFloat32&) = delete;

 private:
  at::Float32MatmulPrecision products_;
  at::Float32Precision convolutions_;
  bool deterministic_, race_;
};

}  // namespace cortiscore
