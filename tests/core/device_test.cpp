#include "src/core/device.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

int exit_code_of(const std::string& name) {
  try {
    device_of(name);
    return 0;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(name), std::string::npos);
    return error.exit_code();
  }
}

TEST(Device, NamesAreChecked) {
  EXPECT_TRUE(device_of("cpu").is_cpu());
  for (const auto* wrong : {"", "tpu", "cuda:", "cuda:x", "cuda:-1", "cuda:0 ", "CPU", "cuda0"})
    EXPECT_EQ(exit_code_of(wrong), static_cast<int>(ErrorKind::kUsage)) << wrong;
  EXPECT_EQ(exit_code_of("cuda:999"), static_cast<int>(ErrorKind::kNoDevice));
  EXPECT_EQ(name_of(at::Device(at::kCPU)), "cpu");
}

TEST(Device, SettingsOfTheProcessComeBack) {
  auto& context = at::globalContext();
  const auto conv = [&] {
    return context.float32Precision(at::Float32Backend::CUDA, at::Float32Op::CONV);
  };
  context.setFloat32MatmulPrecision("medium");
  context.setBenchmarkCuDNN(true);
  const auto before = conv();
  {
    const ReproducibleFloat32 exact;
    EXPECT_EQ(context.float32MatmulPrecision(), at::Float32MatmulPrecision::HIGHEST);
    EXPECT_FALSE(context.allowTF32CuBLAS());
    EXPECT_FALSE(context.allowTF32CuDNN(at::Float32Op::CONV));
    EXPECT_TRUE(context.deterministicCuDNN());
    EXPECT_FALSE(context.benchmarkCuDNN());
  }
  EXPECT_EQ(context.float32MatmulPrecision(), at::Float32MatmulPrecision::MEDIUM);
  EXPECT_EQ(conv(), before);
  EXPECT_FALSE(context.deterministicCuDNN());
  EXPECT_TRUE(context.benchmarkCuDNN());
  context.setFloat32MatmulPrecision("highest");
  context.setBenchmarkCuDNN(false);
}

}  // namespace
}  // namespace cortiscore
