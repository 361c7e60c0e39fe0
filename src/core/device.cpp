#include "src/core/device.h"

#include <algorithm>
#include <cctype>

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>

#include "cortiscore/error.h"
#include "src/core/host.h"

namespace cortiscore {
namespace {

int device_count() {
  return at::hasCUDA() ? at::detail::getCUDAHooks().getNumGPUs() : 0;
}

}  // namespace

std::vector<std::string> devices_of(const std::string& list) {
  std::vector<std::string> names;
  if (list == "cuda:all") {
    for (int i = 0; i < std::max(1, device_count()); ++i)
      names.push_back("cuda:" + std::to_string(i));
  } else {
    for (size_t begin = 0; begin <= list.size();) {
      const auto end = std::min(list.find(',', begin), list.size());
      names.push_back(list.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  const auto product = name_of(device_of(names.front()));
  for (const auto& name : names) {
    if (name_of(device_of(name)) != product) {
      throw Error(ErrorKind::kUsage,
                  "--device " + list + ": found " + product + " and " + name_of(device_of(name)) +
                      ", expected devices of one product. Run a sweep for each.");
    }
  }
  return names;
}

at::Device device_of(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  const bool cuda = name == "cuda" || name.starts_with("cuda:");
  const auto digits =
      cuda && name.size() > 5 ? name.substr(5) : std::string(name == "cuda" ? "0" : "");
  const bool number = !digits.empty() && digits.size() <= 3 &&
                      std::all_of(digits.begin(), digits.end(),
                                  [](unsigned char c) { return std::isdigit(c) != 0; });
  if (!cuda || !number) {
    throw Error(ErrorKind::kUsage,
                "--device: found \"" + name + "\", expected cpu, cuda or cuda:N.");
  }
  const int index = std::stoi(digits);
  const int n_devices = device_count();
  if (index >= n_devices) {
    const auto found = n_devices == 0
                           ? std::string("no CUDA device, or a build without CUDA")
                           : std::to_string(n_devices) + " CUDA device(s), numbered from 0";
    throw Error(ErrorKind::kNoDevice, "--device " + name + ": found " + found +
                                          ", expected it here. Use --device cpu, or see "
                                          "`cortiscore doctor`.");
  }
  return {at::kCUDA, static_cast<at::DeviceIndex>(index)};
}

int64_t free_bytes(const at::Device& device) {
  if (device.is_cpu()) return available_bytes();
  const auto memory = at::getDeviceAllocator(device.type())->getMemoryInfo(device.index());
  return static_cast<int64_t>(memory.first);
}

void synchronize(const at::Device& device) {
  if (device.is_cuda()) at::detail::getCUDAHooks().deviceSynchronize(device.index());
}

// Products by the older setting and convolutions by the newer one: each is what torch accepts
// whatever the process set before; it refuses an operator whose two settings disagree.
ReproducibleFloat32::ReproducibleFloat32(bool tf32)
    : products_(at::globalContext().float32MatmulPrecision()),
      convolutions_(
          at::globalContext().float32Precision(at::Float32Backend::CUDA, at::Float32Op::CONV)),
      deterministic_(at::globalContext().deterministicCuDNN()),
      race_(at::globalContext().benchmarkCuDNN()) {
  auto& context = at::globalContext();
  context.setFloat32MatmulPrecision(tf32 ? "high" : "highest");
  context.setFloat32Precision(at::Float32Backend::CUDA, at::Float32Op::CONV,
                              tf32 ? at::Float32Precision::TF32 : at::Float32Precision::IEEE);
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
}

ReproducibleFloat32::~ReproducibleFloat32() {
  auto& context = at::globalContext();
  const char* const names[] = {"highest", "high", "medium"};
  context.setFloat32MatmulPrecision(names[static_cast<int>(products_)]);
  context.setFloat32Precision(at::Float32Backend::CUDA, at::Float32Op::CONV, convolutions_);
  context.setDeterministicCuDNN(deterministic_);
  context.setBenchmarkCuDNN(race_);
}

}  // namespace cortiscore
