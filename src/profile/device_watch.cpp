#include "src/profile/device_watch.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include <dlfcn.h>

#include "src/core/device.h"

namespace cortiscore {
namespace {

// Of NVML's interface, which is stable, what is asked for; NVIDIA Management Library API reference.
using NvmlDevice = void*;
constexpr unsigned kClockOfSms = 1;
constexpr unsigned long long kIdle = 0x1, kSetByUser = 0x2;

class Nvml {
 public:
  Nvml() : library_(dlopen("libnvidia-ml.so.1", RTLD_NOW)) {
    if (!library_) return;
    find(init, "nvmlInit_v2");
    find(handle, "nvmlDeviceGetHandleByPciBusId_v2");
    find(power, "nvmlDeviceGetPowerUsage");
    find(clock, "nvmlDeviceGetClockInfo");
    find(temperature, "nvmlDeviceGetTemperature");
    find(reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
    works_ = init && handle && power && clock && temperature && reasons && init() == 0;
  }
  bool works() const { return works_; }

  int (*init)() = nullptr;
  int (*handle)(const char* bus_id, NvmlDevice*) = nullptr;
  int (*power)(NvmlDevice, unsigned* milliwatts) = nullptr;
  int (*clock)(NvmlDevice, unsigned which, unsigned* mhz) = nullptr;
  int (*temperature)(NvmlDevice, unsigned sensor, unsigned* celsius) = nullptr;
  int (*reasons)(NvmlDevice, unsigned long long*) = nullptr;

 private:
  template <typename Function>
  void find(Function*& function, const char* name) {
    function = reinterpret_cast<Function*>(dlsym(library_, name));
  }
  void* library_;
  bool works_ = false;
};

}  // namespace

class DeviceWatch::Sampler {
 public:
  explicit Sampler(const std::string& bus_id) {
    NvmlDevice device = nullptr;
    if (!nvml_.works() || nvml_.handle(bus_id.c_str(), &device) != 0) return;
    asked_ = true;
    thread_ = std::jthread([this, device](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        sample(device);
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
    });
  }

  Json json() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!asked_ || n_ == 0) return nullptr;
    const auto n = static_cast<double>(n_);
    return {{"clock_hz", clock_ / n},
            {"power_w", power_ / n},
            {"temperature_c", hottest_},
            {"throttled", throttled_},
            {"bus_bytes", nullptr}};
  }

 private:
  void sample(NvmlDevice device) {
    unsigned milliwatts = 0, mhz = 0, celsius = 0;
    unsigned long long why = 0;
    if (nvml_.power(device, &milliwatts) != 0 || nvml_.clock(device, kClockOfSms, &mhz) != 0 ||
        nvml_.temperature(device, 0, &celsius) != 0 || nvml_.reasons(device, &why) != 0)
      return;
    const std::lock_guard<std::mutex> lock(mutex_);
    ++n_;
    power_ += milliwatts * 1e-3;
    clock_ += mhz * 1e6;
    hottest_ = std::max(hottest_, static_cast<double>(celsius));
    throttled_ = throttled_ || (why & ~(kIdle | kSetByUser)) != 0;
  }

  Nvml nvml_;
  mutable std::mutex mutex_;
  bool asked_ = false, throttled_ = false;
  int64_t n_ = 0;
  double clock_ = 0, power_ = 0, hottest_ = 0;
  std::jthread thread_;
};

DeviceWatch::DeviceWatch(const at::Device& device) {
  if (!device.is_cpu()) sampler_ = std::make_unique<Sampler>(bus_id_of(device));
}

DeviceWatch::~DeviceWatch() = default;

Json DeviceWatch::json() const {
  return sampler_ ? sampler_->json() : Json(nullptr);
}

}  // namespace cortiscore
