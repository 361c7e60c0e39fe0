#pragma once
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/DeviceType.h>
#include <gtest/gtest.h>

#include "tests/support/no_device.h"

namespace cortiscore::test {

/// A test body over every device: the CPU always, CUDA where there is one (else no_device.h's end),
/// the emulated device in a program that has it (Note [Emulated device of Torch]).
class OnDevice : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string(GetParam()) == "cuda" && !at::hasCUDA()) CORTISCORE_END_WITHOUT_CUDA();
  }
  at::Device device() const { return at::Device(GetParam()); }
};

inline std::vector<const char*> device_names() {
  if (c10::is_privateuse1_backend_registered()) return {"emulated"};
  return {"cpu", "cuda"};
}

inline std::string device_name(const testing::TestParamInfo<const char*>& info) {
  return info.param;
}

#define CORTISCORE_ON_DEVICES(suite)                                                           \
  INSTANTIATE_TEST_SUITE_P(Device, suite, testing::ValuesIn(cortiscore::test::device_names()), \
                           cortiscore::test::device_name)

/// Largest absolute difference, after both are brought to the CPU.
inline double max_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.cpu().to(at::kDouble) - b.cpu().to(at::kDouble)).abs().max().item<double>();
}

}  // namespace cortiscore::test
