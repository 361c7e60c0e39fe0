#include "src/ops/top_vector.h"

#include "tests/support/devices.h"

namespace cortiscore {
namespace {

class TopVectorTest : public test::OnDevice {};

at::Tensor random_gram(int64_t f, int64_t m, double exponent) {
  const auto scale = at::arange(1, m + 1, at::kDouble).pow(-exponent);
  const auto s = at::randn({f, 3 * m, m}, at::kDouble) * scale;
  return at::bmm(s.transpose(1, 2), s);
}

at::Tensor first_column(int64_t f, int64_t m) {
  auto start = at::zeros({f, m}, at::kDouble);
  start.select(1, 0).fill_(1);
  return start;
}

// The fast path, the ATen definition and every device agree, iteration counts included.
TEST_P(TopVectorTest, EqualsDefinition) {
  at::manual_seed(3);
  for (const auto& [m, exponent] :
       {std::pair<int64_t, double>{1, 0}, {2, 1}, {7, 0.2}, {33, 0.5}, {168, 0.1}}) {
    const auto g = random_gram(6, m, exponent);
    const auto start = first_column(6, m);
    const auto expected = top_vector_definition(g, start, {});
    const auto got = top_vector(g.to(device()), start.to(device()), {});
    EXPECT_TRUE(at::equal(got.iterations.cpu(), expected.iterations)) << m;
    EXPECT_LT(test::max_difference(got.v, expected.v), 1e-12) << m;
    EXPECT_LT(test::max_difference(got.gv / got.rayleigh.unsqueeze(1),
                                   expected.gv / expected.rayleigh.unsqueeze(1)),
              1e-11);
  }
}

TEST_P(TopVectorTest, ExactModeIsAnEigenvector) {
  at::manual_seed(4);
  const auto g = random_gram(4, 20, 0.3);
  const auto top =
      top_vector(g.to(device()), first_column(4, 20).to(device()), {.mode = TopVectorMode::kExact});
  EXPECT_LT(test::max_difference(top.gv, top.v * top.rayleigh.unsqueeze(1)), 1e-10);
  EXPECT_EQ(top.iterations.sum().item<int64_t>(), 0);
}

TEST_P(TopVectorTest, CapAndNothingLeft) {
  auto g = random_gram(2, 5, 0.1);
  g[1].zero_();
  const auto top =
      top_vector(g.to(device()), first_column(2, 5).to(device()), {.tol = 0, .max_iter = 37});
  EXPECT_EQ(top.iterations.cpu()[0].item<int64_t>(), 37);
  EXPECT_FALSE(top.v.isnan().any().item<bool>());
}

CORTISCORE_ON_DEVICES(TopVectorTest);

}  // namespace
}  // namespace cortiscore
