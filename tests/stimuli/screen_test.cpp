#include "src/stimuli/screen.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/devices.h"

namespace cortiscore {
namespace {

const std::vector<double> kMean = {0.485, 0.456, 0.406};
const std::vector<double> kStd = {0.229, 0.224, 0.225};

// Every byte in every channel, [1, 16, 16, 3].
at::Tensor every_byte() {
  return at::arange(256, at::kByte).view({1, 16, 16, 1}).expand({1, 16, 16, 3}).contiguous();
}

TEST(Normaliser, RoundsEveryByteAsToTensorAndNormalizeDo) {
  const auto out = Normaliser(kMean, kStd, at::kCPU)(every_byte());
  ASSERT_EQ(out.sizes(), at::IntArrayRef({1, 3, 16, 16}));
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t v = 0; v < 256; ++v) {
      const auto k = static_cast<size_t>(c);
      const volatile float unit = static_cast<float>(v) / 255.0F;
      const volatile float shifted = unit - static_cast<float>(kMean[k]);
      EXPECT_EQ(out.const_data_ptr<float>()[c * 256 + v], shifted / static_cast<float>(kStd[k]));
    }
  }
}

TEST(Normaliser, ATableAndTheDefinitionHaveTheSameBits) {
  const auto pixels = at::randint(256, {3, 17, 17, 3}, at::TensorOptions().dtype(at::kByte));
  const Normaliser plain({}, {}, at::kCPU), normalised(kMean, kStd, at::kCPU);
  EXPECT_TRUE(at::equal(plain(pixels), plain.definition(pixels)));
  EXPECT_TRUE(at::equal(normalised(pixels), normalised.definition(pixels)));
}

TEST(Normaliser, AGpuHasTheBitsOfTheCpu) {
  if (!at::hasCUDA()) CORTISCORE_END_WITHOUT_CUDA();
  const auto there = Normaliser(kMean, kStd, at::Device(at::kCUDA, 0))(every_byte());
  EXPECT_TRUE(at::equal(there.to(at::kCPU), Normaliser(kMean, kStd, at::kCPU)(every_byte())));
}

}  // namespace
}  // namespace cortiscore
