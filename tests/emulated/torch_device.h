#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <thread>

/// Note [Emulated device of Torch]
/// Linked into a program, torch_device.cpp makes two devices of Torch, "emulated:0" and
/// "emulated:1", with any number of streams. Their tensors are not the CPU's, so that every branch
/// for devices is taken, and what mixes devices fails as it does with CUDA. Each of ATen's
/// operators that would be a kernel runs on the CPU over the same memory and is counted; the
/// project's kernels run as tests/emulated/device.h says, from the very src/ops/fused_cuda.cpp.
/// So the mathematics of the device path is tested here; its speed, the rounding of cuBLAS and
/// cuSOLVER, and what runs at the same time as what are not.
namespace cortiscore::emulated {

/// What a device would have been asked since the last reset, by operator. ATen's leaf operators
/// count one launch each, which is few: a sort or a factorisation takes several.
struct Work {
  std::map<std::string, int64_t> launches;  ///< of ATen; of our own: launches() of device.h
  std::map<std::string, int64_t> syncs;     ///< operators for which the host waits for the device
  std::map<std::string, int64_t> uploads;   ///< copies from the host's memory that is not pinned
  std::set<std::thread::id> threads;        ///< that asked for any of these
  int64_t bytes = 0, peak_bytes = 0;        ///< of tensors, now and at most
};
Work& work();

/// Whether the operator makes the host wait inside CUDA's implementation of it.
bool waits(const std::string& operator_name);

int64_t total(const std::map<std::string, int64_t>& counts);

}  // namespace cortiscore::emulated
