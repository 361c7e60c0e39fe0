#include "src/ops/average_ranks.h"
#include "src/ops/kendall.h"
#include "src/ops/upper_triangle.h"
#include "src/ops/weighted_ranks.h"
#include "tests/support/devices.h"

namespace cortiscore {
namespace {

class Ranks : public test::OnDevice {};

// Counting what lies below and what ties: the definition of an average rank.
at::Tensor counted(const at::Tensor& v) {
  const auto below = (v.unsqueeze(0) < v.unsqueeze(1)).sum(1).to(at::kDouble);
  const auto equal = (v.unsqueeze(0) == v.unsqueeze(1)).sum(1).to(at::kDouble);
  return below + (equal + 1) / 2;
}

TEST_P(Ranks, EqualCounting) {
  at::manual_seed(1);
  for (const int64_t n : {1, 2, 31, 32, 33, 255, 256, 257, 1000}) {
    for (const double levels : {1e9, 5.0, 0.0}) {
      const auto v = (at::randn({n}, at::kDouble) * levels).round();
      EXPECT_TRUE(at::equal(average_ranks(v.to(device())).cpu(), counted(v))) << n;
      EXPECT_TRUE(at::equal(average_ranks_definition(v.to(device())).cpu(), counted(v))) << n;
    }
  }
  EXPECT_EQ(average_ranks(at::empty({0}, at::kDouble).to(device())).numel(), 0);
}

// Beyond 4096 the CPU sorts by buckets: spread out, heaped up, with ties and with infinities.
TEST_P(Ranks, LongRowsOfAnyDensity) {
  at::manual_seed(2);
  const auto u = at::rand({3, 20000}, at::kDouble);
  auto cases =
      at::stack({u[0], u[1].pow(40), (u[2] * 100).floor(), at::where(u[0] > 0.9999, 1e300, u[1])});
  const auto got = average_ranks(cases.to(device())).cpu();
  EXPECT_TRUE(at::equal(got, average_ranks_definition(cases)));
  cases[0][7] = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(at::equal(average_ranks(cases.to(device())).cpu(), average_ranks_definition(cases)));
}

// Weights of one are plain ranks; whole weights are ranks of the entries written out.
TEST_P(Ranks, WeightsAreRepetitions) {
  at::manual_seed(3);
  const auto v = (at::randn({40}, at::kDouble) * 3).round();
  const auto ties = sort_ties(v.to(device()));
  EXPECT_LT(test::max_difference(
                weighted_ranks(ties, at::ones({1, 40}, at::kDouble).to(device()))[0], counted(v)),
            1e-13);
  const auto counts = at::randint(0, 4, {6, 40}, at::kDouble);
  const auto got = weighted_ranks(ties, counts.to(device())).cpu();
  for (int64_t b = 0; b < 6; ++b) {
    const auto places = at::arange(40).repeat_interleave(counts[b].to(at::kLong));
    const auto expected = counted(v.index_select(0, places));
    EXPECT_LT(test::max_difference(got[b].index_select(0, places), expected), 1e-12);
  }
}

TEST_P(Ranks, KendallEqualsItsDefinition) {
  at::manual_seed(4);
  for (const int64_t n : {2, 31, 32, 33, 700}) {
    for (const double levels : {1e9, 3.0}) {
      const auto a = (at::randn({n}, at::kDouble) * levels).round();
      const auto b = (at::randn({n}, at::kDouble) * levels).round() + a;
      EXPECT_LT(test::max_difference(kendall_tau_a(a.to(device()), b.to(device())),
                                     kendall_tau_a_definition(a, b)),
                1e-14);
    }
  }
  EXPECT_TRUE(std::isnan(
      kendall_tau_a(at::ones({1}, at::kDouble), at::ones({1}, at::kDouble)).item<double>()));
}

TEST_P(Ranks, ProductsOfPairs) {
  at::manual_seed(5);
  for (const int64_t n : {1, 2, 31, 32, 33, 200}) {
    const auto counts = at::randint(0, 5, {7, n}, at::kDouble);
    EXPECT_TRUE(
        at::equal(pair_products(counts.to(device())).cpu(), pair_products_definition(counts)))
        << n;
  }
}

TEST_P(Ranks, TriangleRowByRow) {
  for (const int64_t n : {0, 1, 2, 3, 32, 33}) {
    const auto m = at::randn({2, n, n}, at::kDouble);
    EXPECT_TRUE(at::equal(upper_triangle(m.to(device())).cpu(), upper_triangle_definition(m))) << n;
  }
  const auto m = at::arange(9, at::kDouble).reshape({3, 3});
  EXPECT_TRUE(
      at::equal(upper_triangle(m.to(device())).cpu(), at::tensor({1.0, 2.0, 5.0}, at::kDouble)));
}

CORTISCORE_ON_DEVICES(Ranks);

}  // namespace
}  // namespace cortiscore
