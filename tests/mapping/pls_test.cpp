#include "src/mapping/pls.h"

#include "cortiscore/error.h"
#include "src/linalg/gram.h"
#include "tests/support/devices.h"

namespace cortiscore {
namespace {

class Pls : public test::OnDevice {};

struct Data {
  at::Tensor x, y;
};

Data simulated(int64_t n, int64_t p, int64_t m, uint64_t seed) {
  at::manual_seed(seed);
  const auto x = at::randn({n, p}, at::kDouble) * at::arange(1, p + 1, at::kDouble).pow(-0.5);
  const auto y =
      at::tanh(at::mm(x, at::randn({p, m}, at::kDouble))) + at::randn({n, m}, at::kDouble);
  return {x, y};
}

// CUDA against CPU; on the CPU, a repeat must give equal bits.
TEST_P(Pls, AgreesWithTheCpu) {
  for (const int64_t p : {60, 500}) {
    const auto [x, y] = simulated(200, p, 20, 5);
    const auto splits = shuffle_splits(200, 10, 0.9, 1);
    const auto expected = pls_cross_validate(x, y, splits);
    const auto got = pls_cross_validate(x.to(device()), y.to(device()), splits);
    EXPECT_TRUE(at::equal(got.iterations.cpu(), expected.iterations));
    for (int64_t s = 0; s < static_cast<int64_t>(splits.size()); ++s) {
      EXPECT_LE(test::max_difference(got.predictions(s), expected.predictions(s)),
                device().is_cpu() ? 0 : 1e-9);
    }
  }
}

// With all components and P < n, PLS is ordinary least squares: residuals of the train rows are
// orthogonal to X.
TEST_P(Pls, AllComponentsAreLeastSquares) {
  const auto [x, y] = simulated(120, 6, 3, 6);
  const Splits splits = shuffle_splits(120, 3, 0.8, 1);
  const auto got = pls_cross_validate(x.to(device()), y.to(device()), splits, {.n_components = 6});
  for (int64_t s = 0; s < static_cast<int64_t>(splits.size()); ++s) {
    const auto train = at::tensor(splits[static_cast<size_t>(s)].train);
    const auto test = at::tensor(splits[static_cast<size_t>(s)].test);
    const auto with_one = [](const at::Tensor& a) {
      return at::cat({a, at::ones({a.size(0), 1}, a.options())}, 1);
    };
    const auto solved = std::get<0>(at::linalg_lstsq(with_one(x.index_select(0, train)),
                                                     y.index_select(0, train), {}, "gelsd"));
    const auto expected = at::mm(with_one(x.index_select(0, test)), solved);
    EXPECT_LT(test::max_difference(got.predictions(s), expected), 1e-10);
  }
}

// Splits do not mix. (Equal bits are promised for a layer beside other layers, not for a split
// among other splits: one matrix product serves all splits of a layer.)
TEST_P(Pls, SplitAloneAgreesWithSplitAmongOthers) {
  const auto [x, y] = simulated(150, 40, 12, 7);
  const auto splits = shuffle_splits(150, 10, 0.9, 1);
  const auto together = pls_cross_validate(x.to(device()), y.to(device()), splits);
  const auto alone = pls_cross_validate(x.to(device()), y.to(device()), {splits[3]});
  EXPECT_TRUE(at::equal(together.iterations[3].cpu(), alone.iterations[0].cpu()));
  EXPECT_LE(test::max_difference(together.predictions(3), alone.predictions(0)), 1e-12);
}

// More targets than presentations: the rotated problem predicts what the direct one does for the
// same targets twice over (scores of a target do not depend on how often it is there as long as the
// joint problem is the same).
TEST_P(Pls, MoreTargetsThanPresentations) {
  const auto [x, y] = simulated(80, 40, 60, 11);
  const auto splits = shuffle_splits(80, 3, 0.9, 1);
  const auto direct = pls_cross_validate(x.to(device()), y.to(device()), splits);
  // Doubling every target doubles G and changes no direction.
  const auto doubled = pls_cross_validate(x.to(device()), at::cat({y, y}, 1).to(device()), splits);
  EXPECT_TRUE(doubled.rotation.defined());
  EXPECT_TRUE(at::equal(direct.iterations.cpu(), doubled.iterations.cpu()));
  for (int64_t s = 0; s < 3; ++s) {
    EXPECT_LT(test::max_difference(doubled.predictions(s).narrow(1, 60, 60), direct.predictions(s)),
              1e-11);
  }
}

TEST_P(Pls, TooFewFeaturesAreRefused) {
  const auto [x, y] = simulated(100, 10, 3, 8);
  EXPECT_THROW(pls_cross_validate(x.to(device()), y.to(device()), shuffle_splits(100, 2, 0.9, 1)),
               Error);
}

// Any coordinates with the same inner products serve; a rank-deficient Gram matrix takes the
// spectral path.
TEST_P(Pls, IsometricCoordinatesKeepInnerProducts) {
  for (const int64_t p : {400, 30}) {
    at::manual_seed(9);
    const auto x = at::randn({90, p}, at::kFloat).to(device());
    const auto k = centred_gram(x);
    const auto centred = x.to(at::kDouble) - x.to(at::kDouble).mean(0);
    EXPECT_LT(test::max_difference(k, at::mm(centred, centred.t())), 1e-10);
    const auto z = isometric_coordinates(x);
    const auto zc = z - z.mean(0);
    EXPECT_LT(test::max_difference(at::mm(zc, zc.t()), k), 1e-9);
  }
}

CORTISCORE_ON_DEVICES(Pls);

}  // namespace
}  // namespace cortiscore
