#include "cortiscore/score.h"
#include "src/ops/fold_updates.h"
#include "src/ops/pearson_columns.h"
#include "src/ops/split_half.h"
#include "src/ops/weighted_median.h"
#include "src/ops/weighted_pearson.h"
#include "src/resample/bootstrap.h"
#include "tests/support/devices.h"

namespace cortiscore {
namespace {

class Weighted : public test::OnDevice {};

const double kNaN = std::nan("");

void expect_equal_or_nan(const at::Tensor& a, const at::Tensor& b, double bound) {
  const auto x = a.cpu(), y = b.cpu();
  ASSERT_EQ(x.sizes(), y.sizes());
  EXPECT_TRUE(at::equal(x.isnan(), y.isnan()));
  EXPECT_LE(test::max_difference(at::nan_to_num(x), at::nan_to_num(y)), bound);
}

// Whole counts are repetitions: the plain median of the entries written out.
TEST_P(Weighted, MedianOfRepetitions) {
  at::manual_seed(1);
  for (const int64_t m : {1, 2, 31, 32, 33, 168}) {
    auto values = (at::randn({3, m}, at::kDouble) * 4).round() / 4;
    values[1].index_fill_(0, at::arange(0, m, 3), kNaN);
    const auto counts = at::randint(0, 3, {5, m}, at::kDouble);
    const auto got = weighted_median(values.unsqueeze(0).to(device()), counts.to(device())).cpu();
    const auto per_draw =
        weighted_median(values.unsqueeze(0).expand({5, 3, m}).contiguous().to(device()),
                        counts.to(device()))
            .cpu();
    for (int64_t b = 0; b < 5; ++b) {
      for (int64_t s = 0; s < 3; ++s) {
        const auto drawn = values[s].repeat_interleave(counts[b].to(at::kLong)).contiguous();
        const double expected = median_skip_nan(
            {drawn.const_data_ptr<double>(), drawn.const_data_ptr<double>() + drawn.numel()});
        for (const auto& result : {got, per_draw}) {
          const double found = result[b][s].item<double>();
          EXPECT_TRUE(found == expected || (std::isnan(found) && std::isnan(expected)));
        }
      }
    }
    expect_equal_or_nan(got, weighted_median_definition(values.unsqueeze(0), counts), 0);
  }
}

TEST_P(Weighted, MedianOfNothing) {
  const auto none = weighted_median(at::empty({1, 2, 0}, at::kDouble).to(device()),
                                    at::ones({3, 0}, at::kDouble).to(device()));
  EXPECT_TRUE(none.isnan().all().item<bool>());
  EXPECT_EQ(none.size(0), 3);
}

// Whole weights are repetitions of rows; ones are plain Pearson.
TEST_P(Weighted, PearsonOfRepetitions) {
  at::manual_seed(2);
  const auto x = at::randn({60, 33}, at::kDouble) + 100;
  auto y = x + at::randn({60, 33}, at::kDouble);
  y.select(1, 4).fill_(3.7);  // constant: NaN in every draw
  const auto counts = at::randint(0, 4, {7, 60}, at::kDouble);
  const auto got = weighted_pearson(counts.to(device()), x.to(device()), y.to(device()));
  for (int64_t b = 0; b < 7; ++b) {
    const auto rows = at::arange(60).repeat_interleave(counts[b].to(at::kLong));
    expect_equal_or_nan(got[b], pearson_columns(x.index_select(0, rows), y.index_select(0, rows)),
                        1e-12);
  }
  auto keep = at::rand({60, 33}) < 0.7;
  const auto ones = at::ones({1, 60}, at::kDouble);
  expect_equal_or_nan(weighted_pearson(ones.to(device()), x.to(device()),
                                       at::where(keep, y, kNaN).to(device()), keep.to(device()))[0],
                      pearson_columns(x, y, keep), 1e-12);
}

// Resamples that hold one row alone have no correlation.
TEST_P(Weighted, PearsonOfOneRowIsUndefined) {
  const auto x = at::randn({5, 3}, at::kDouble);
  auto counts = at::zeros({1, 5}, at::kDouble);
  counts[0][2] = 5;
  EXPECT_TRUE(weighted_pearson(counts.to(device()), x.to(device()), (2 * x).to(device()))
                  .isnan()
                  .all()
                  .item<bool>());
}

TEST_P(Weighted, DrawsAreTheSameOnEveryDevice) {
  const auto on = at::TensorOptions().dtype(at::kDouble).device(device());
  for (const auto axis : {Axis::kNeuroid, Axis::kPresentation, Axis::kSplit, Axis::kSubject}) {
    for (const int64_t n : {1, 31, 32, 33, 300, 20000}) {
      const auto counts = bootstrap_counts(7, axis, 3, 4, n, on).cpu();
      EXPECT_TRUE(at::equal(counts, bootstrap_counts_definition(7, axis, 3, 4, n, at::kDouble)))
          << n;
      EXPECT_TRUE((counts.sum(1) == static_cast<double>(n)).all().item<bool>());
    }
  }
  const auto later = bootstrap_counts(7, Axis::kNeuroid, 5, 2, 50, on);
  EXPECT_TRUE(at::equal(later, bootstrap_counts(7, Axis::kNeuroid, 3, 4, 50, on).narrow(0, 2, 2)));
}

// A multinomial count has mean 1 and variance 1 - 1 / n.
TEST_P(Weighted, DrawsAreMultinomial) {
  const auto counts = bootstrap_counts(1, Axis::kPresentation, 0, 20000, 20,
                                       at::TensorOptions().dtype(at::kDouble).device(device()));
  EXPECT_NEAR(counts.mean().item<double>(), 1, 1e-12);
  EXPECT_NEAR(counts.var(0).mean().item<double>(), 0.95, 0.01);
  const auto c = counts - 1;
  EXPECT_NEAR((c.select(1, 0) * c.select(1, 1)).mean().item<double>(), -1.0 / 20, 0.02);
}

TEST_P(Weighted, FoldUpdates) {
  at::manual_seed(3);
  for (const auto& [f, p, m] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {3, 31, 33}, {10, 70, 32}}) {
    const auto s = at::randn({f, p, m}, at::kDouble), c = at::randn({p, m}, at::kDouble);
    const auto xm = at::randn({f, p}, at::kDouble), ym = at::randn({f, m}, at::kDouble);
    const auto n = at::randint(1, 90, {f}, at::kDouble);
    auto got = s.clone().to(device());
    auto expected = s.clone();
    downdate(got, c.to(device()), xm.to(device()), ym.to(device()), n.to(device()));
    downdate_definition(expected, c, xm, ym, n);
    EXPECT_LT(test::max_difference(got, expected), 1e-12);
    auto g = at::randn({f, m, m}, at::kDouble);
    g = g + g.transpose(1, 2);
    const auto u = at::randn({f, m}, at::kDouble), h = at::randn({f, m}, at::kDouble);
    auto g_got = g.clone().to(device());
    rank2_update(g_got, u.to(device()), h.to(device()));
    rank2_update_definition(g, u, h);
    EXPECT_LT(test::max_difference(g_got, g), 1e-13);
  }
}

// Halves averaged in full, against their covariances.
TEST_P(Weighted, SplitHalves) {
  at::manual_seed(4);
  for (const int64_t r : {2, 7, 31, 33, 80}) {
    auto trials = at::randn({5, r, 50}, at::kDouble) + at::randn({5, 1, 50}, at::kDouble);
    trials[3].fill_(2.5);
    const auto d = trials - trials.mean(2, true);
    const auto noise = trials.abs().amax({1, 2}).square() * 50e-26;
    auto in_first = at::zeros({20, r}, at::kByte);
    for (int64_t s = 0; s < 20; ++s)
      in_first[s].index_fill_(0, at::randperm(r).narrow(0, 0, r / 2), 1);
    const auto c = at::bmm(d, d.transpose(1, 2));
    const auto got =
        split_half(c.to(device()), in_first.to(device()), noise.to(device()));  // [splits, 5]
    for (int64_t s = 0; s < 20; ++s) {
      const auto first = in_first[s].to(at::kBool).nonzero().squeeze(1);
      const auto second = in_first[s].to(at::kBool).logical_not().nonzero().squeeze(1);
      expect_equal_or_nan(got[s],
                          pearson_columns(trials.index_select(1, first).mean(1).t().contiguous(),
                                          trials.index_select(1, second).mean(1).t().contiguous()),
                          1e-12);
    }
  }
}

CORTISCORE_ON_DEVICES(Weighted);

}  // namespace
}  // namespace cortiscore
