#include "src/ops/pearson_columns.h"

#include <cmath>

#include "tests/support/devices.h"

namespace cortiscore {
namespace {

class PearsonColumns : public test::OnDevice {};

// Closed form: y = a x + b is 1 or -1; a column orthogonal to x is 0.
TEST_P(PearsonColumns, ClosedForms) {
  const auto x =
      at::tensor({1.0, 2.0, 3.0, 4.0}, at::kDouble).unsqueeze(1).repeat({1, 4}).to(device());
  const auto y =
      at::stack({at::tensor({3.0, 5.0, 7.0, 9.0}, at::kDouble),
                 at::tensor({-1.0, -2.0, -3.0, -4.0}, at::kDouble),
                 at::tensor({1.0, -1.0, -1.0, 1.0}, at::kDouble), at::full({4}, 0.1, at::kDouble)},
                1)
          .to(device());
  const auto r = pearson_columns(x, y).cpu();
  EXPECT_DOUBLE_EQ(r[0].item<double>(), 1);
  EXPECT_DOUBLE_EQ(r[1].item<double>(), -1);
  EXPECT_NEAR(r[2].item<double>(), 0, 1e-15);
  EXPECT_TRUE(std::isnan(r[3].item<double>()));
}

TEST_P(PearsonColumns, FarFromZeroAndFloat32) {
  at::manual_seed(1);
  const auto a = at::randn({3000, 37}, at::kDouble);
  const auto b = a + at::randn({3000, 37}, at::kDouble);
  const auto expected = pearson_columns(a, b);
  EXPECT_LT(test::max_difference(pearson_columns((a + 1000).to(device()), (b - 1000).to(device())),
                                 expected),
            1e-12);
  const auto fa = a.to(at::kFloat);
  const auto fb = b.to(at::kFloat);
  EXPECT_LT(test::max_difference(pearson_columns(fa.to(device()), fb.to(device())),
                                 pearson_columns(fa.to(at::kDouble), fb.to(at::kDouble))),
            1e-13);
}

TEST_P(PearsonColumns, KeptPairsAlone) {
  at::manual_seed(2);
  const auto a = at::randn({50, 5}, at::kDouble);
  const auto b = at::randn({50, 5}, at::kDouble);
  auto keep = at::ones({50, 5}, at::kBool);
  keep.narrow(0, 30, 20).fill_(false);
  auto dirty = b.clone();
  dirty.narrow(0, 30, 20).fill_(std::nan(""));
  const auto r = pearson_columns(a.to(device()), dirty.to(device()), keep.to(device()));
  EXPECT_LT(test::max_difference(r, pearson_columns(a.narrow(0, 0, 30), b.narrow(0, 0, 30))),
            1e-14);
}

CORTISCORE_ON_DEVICES(PearsonColumns);

}  // namespace
}  // namespace cortiscore
