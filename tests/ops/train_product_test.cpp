#include "src/ops/train_product.h"

#include "src/core/parallel.h"
#include "tests/support/devices.h"

namespace cortiscore {
namespace {

class TrainProduct : public test::OnDevice {};

// By copies of every fold's own rows, centred: nothing is shared or subtracted. Rows and columns on
// both sides of what the loops take at a time, folds in every remainder of four.
TEST_P(TrainProduct, IsThatOfEachFoldsOwnRows) {
  at::manual_seed(4);
  for (const auto& [n, p, f] : {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1},
                                {7, 3, 2},
                                {16, 8, 3},
                                {130, 191, 4},
                                {257, 192, 5},
                                {300, 393, 6},
                                {5000, 20, 10}}) {
    const auto x = at::randn({n, p}, at::kDouble) + 3 * at::randn({p}, at::kDouble);
    const auto r = at::randn({f, p}, at::kDouble);
    auto in_train = (at::rand({f, n}, at::kDouble) < 0.8).to(at::kDouble);
    in_train.select(1, 0).fill_(1);
    const auto x_mean = at::mm(in_train, x) / in_train.sum(1, true);
    const auto got =
        train_product(x.to(device()), r.to(device()), in_train.to(device()), x_mean.to(device()));
    // Rows left out, padded with zeros.
    const auto n_train = in_train.sum(1);
    auto x_out = at::zeros({f, n - n_train.min().item().to<int64_t>() + 1, p}, at::kDouble);
    for (int64_t k = 0; k < f; ++k) {
      const auto out = x.index_select(0, (in_train[k] == 0).nonzero().squeeze(1));
      x_out[k].narrow(0, 0, out.size(0)).copy_(out);
    }
    const auto of_gram =
        train_product_of_gram(at::mm(x.t(), x).to(device()), x_out.to(device()), r.to(device()),
                              x_mean.to(device()), n_train.to(device()));
    for (int64_t k = 0; k < f; ++k) {
      const auto rows = x.index_select(0, in_train[k].nonzero().squeeze(1)) - x_mean[k];
      const auto expected = at::mv(rows.t(), at::mv(rows, r[k]));
      // Rounding is a multiple of the sums of absolute values (Higham 2002, section 3.5), which
      // X'Xr itself can be thirty times below: BLAS on an AMD machine adds in another order than on
      // Intel's, and its 4e-9 was more than 1e-13 of X'Xr.
      const double size = at::mv(x.abs().t(), at::mv(x.abs(), r[k].abs())).max().item<double>();
      const double bound = 1e-14 * size;
      EXPECT_LE(test::max_difference(got[k], expected), bound) << n << " " << p << " " << k;
      EXPECT_LE(test::max_difference(of_gram[k], expected), bound) << n << " " << p << " " << k;
    }
  }
}

TEST(TrainProductOnCpu, ThreadsChangeNoBit) {
  at::manual_seed(5);
  const auto x = at::randn({700, 250}, at::kDouble), r = at::randn({9, 250}, at::kDouble);
  const auto in_train = (at::rand({9, 700}, at::kDouble) < 0.9).to(at::kDouble);
  const auto x_mean = at::randn({9, 250}, at::kDouble);
  const auto threads = thread_count();
  set_thread_count(1);
  const auto one = train_product(x, r, in_train, x_mean);
  set_thread_count(3);
  const auto three = train_product(x, r, in_train, x_mean);
  set_thread_count(threads);
  EXPECT_TRUE(at::equal(one, three));
}

CORTISCORE_ON_DEVICES(TrainProduct);

}  // namespace
}  // namespace cortiscore
