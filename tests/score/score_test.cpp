#include "cortiscore/score.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace cortiscore {
namespace {

const double kNaN = std::nan("");

TEST(Score, MedianAveragesTheMiddleTwoAndSkipsNaN) {
  EXPECT_DOUBLE_EQ(median_skip_nan({4, 1, 3, 2}), 2.5);
  EXPECT_DOUBLE_EQ(median_skip_nan({kNaN, 1, 3, 2}), 2);
  EXPECT_TRUE(std::isnan(median_skip_nan({kNaN})));
}

TEST(Score, AggregatesMedianThenMean) {
  const auto r =
      at::tensor({0.1, 0.2, 0.6, kNaN, 0.3, 0.5, 0.4, kNaN}, at::kDouble).reshape({2, 4});
  const auto estimate = aggregate(r);
  EXPECT_DOUBLE_EQ(estimate.value, (0.2 + 0.4) / 2);
  EXPECT_DOUBLE_EQ(estimate.error, 0.1 / std::sqrt(2.0));
  EXPECT_EQ(estimate.n_undefined, 1);
}

// FreemanZiemba2013 V1 of the 2020 leaderboard: raw .40441, ceiling .87366 gave .21427.
TEST(Score, Conventions) {
  EXPECT_NEAR(CeilingConvention{CeilingConvention::Ratio::kROverCSquared}(0.40441, 0.87366),
              0.21427, 1e-5);
  EXPECT_DOUBLE_EQ(CeilingConvention{CeilingConvention::Ratio::kR2OverC}(0.5, 0.8), 0.25 / 0.8);
  EXPECT_TRUE(std::isnan(CeilingConvention{CeilingConvention::Ratio::kR2OverC}(0.5, 0)));
  EXPECT_DOUBLE_EQ((CeilingConvention{CeilingConvention::Ratio::kROverSqrtC}(0.3, 0.36)), 0.5);
}

// (raw - chance) / (ceiling - chance), to 0..1: what is below chance is nothing, and a ceiling at
// chance is none.
TEST(Score, ChanceAndClip) {
  const CeilingConvention match{CeilingConvention::Ratio::kROverC, true, 0.25};
  EXPECT_DOUBLE_EQ(match(0.5, 0.75), 0.5);
  EXPECT_EQ(match(0.1, 0.75), 0);
  EXPECT_EQ(match(0.9, 0.75), 1);
  EXPECT_TRUE(std::isnan(match(0.5, 0.25)));
  EXPECT_TRUE(std::isnan(match(kNaN, 0.75)));
  EXPECT_EQ(match.name(), "above_chance_clipped");
}

// The interval of a median over many neuroids covers the closed form 1.2533 sd / sqrt(n) about as
// often as it should.
TEST(Score, IntervalHasTheWidthOfTheMediansError) {
  at::manual_seed(1);
  auto estimate = aggregate(at::randn({1, 400}, at::kDouble));
  bootstrap_over_neuroids(estimate, {.n_boot = 2000});
  const double expected = 2 * 1.96 * 1.2533 / std::sqrt(400.0);
  EXPECT_NEAR((estimate.ci_hi - estimate.ci_lo) / expected, 1, 0.25);
}

// Raw and ceiling that move together leave a ceiled score without uncertainty: the draws are the
// same neuroids.
TEST(Score, CeilingIsResampledWithTheSameDraws) {
  at::manual_seed(2);
  const auto c = at::rand({3, 50}, at::kDouble) * 0.5 + 0.4;
  const auto raw = c.sqrt();  // raw^2 / ceiling = 1 for every neuroid
  const auto score = ceiled_score(aggregate(raw.narrow(0, 0, 1)), aggregate(c.narrow(0, 0, 1)),
                                  CeilingConvention{CeilingConvention::Ratio::kR2OverC});
  EXPECT_GT(score.raw.ci_hi - score.raw.ci_lo, 0.01);
  EXPECT_NEAR(score.ceiled, 1, 1e-3);
  EXPECT_NEAR(score.ceiled_ci_hi - score.ceiled_ci_lo, 0, 1e-3);
}

}  // namespace
}  // namespace cortiscore
