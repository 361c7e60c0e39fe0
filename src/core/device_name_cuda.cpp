#include <c10/cuda/CUDAException.h>
#include <cuda_runtime_api.h>

#include "src/core/device.h"

namespace cortiscore {

std::string name_of(const at::Device& device) {
  if (device.is_cpu()) return "cpu";
  cudaDeviceProp properties{};
  C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, device.index()));
  return properties.name;
}

std::string bus_id_of(const at::Device& device) {
  if (device.is_cpu()) return {};
  char text[32];
  C10_CUDA_CHECK(cudaDeviceGetPCIBusId(text, sizeof text, device.index()));
  return text;
}

}  // namespace cortiscore
