// Reductions that ask for columns a different number of times share sweeps, and fail together.
#include "src/activations/in_step.h"

#include <stdexcept>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

namespace cortiscore {
namespace {

// A matrix in parts, that counts how often it is swept.
class Counted final : public FeatureBlocks {
 public:
  explicit Counted(at::Tensor x) : FeatureBlocks(x.size(0), x.size(1)), x_(std::move(x)) {}
  void each(const Visit& visit) override {
    ++sweeps;
    for (int64_t first = 0; first < features(); first += kWidth)
      visit(first, x_.narrow(1, first, std::min(kWidth, features() - first)));
  }
  int64_t sweeps = 0;

 private:
  at::Tensor x_;
};

TEST(InStep, SweepsAsOftenAsTheOneThatAsksMost) {
  const auto x = at::randn({5, 10000}, at::kDouble);
  Counted blocks(x);
  std::vector<at::Tensor> sums(4);
  std::vector<std::function<void(FeatureBlocks&)>> reductions;
  for (size_t r = 0; r < sums.size(); ++r) {
    reductions.emplace_back([&, r](FeatureBlocks& mine) {
      const at::NoGradGuard no_grad;
      EXPECT_EQ(mine.features(), 10000);
      sums[r] = at::zeros({5}, at::kDouble);
      for (size_t sweep = 0; sweep < r; ++sweep)  // the first asks for none
        mine.each([&](int64_t, const at::Tensor& columns) { sums[r] += columns.sum(1); });
    });
  }
  reduce_in_step(blocks, reductions);
  EXPECT_EQ(blocks.sweeps, 3);
  for (size_t r = 0; r < sums.size(); ++r)
    EXPECT_TRUE(at::allclose(sums[r], x.sum(1) * static_cast<double>(r)));
}

TEST(InStep, RunsAsTheCallerDoes) {
  const at::NoGradGuard no_grad;
  Counted blocks(at::zeros({1, 1}));
  std::vector<char> grad(2, 1);
  reduce_in_step(blocks, {[&](FeatureBlocks&) { grad[0] = at::GradMode::is_enabled(); },
                          [&](FeatureBlocks&) { grad[1] = at::GradMode::is_enabled(); }});
  EXPECT_EQ(grad, std::vector<char>(2, 0));
}

TEST(InStep, AFailureStopsTheOthers) {
  const auto twice = [](FeatureBlocks& mine) {
    mine.each([](int64_t, const at::Tensor&) {});
    mine.each([](int64_t, const at::Tensor&) {});
  };
  Counted blocks(at::zeros({1, 1}));
  const auto fails_at_once = [](FeatureBlocks&) { throw std::runtime_error("at once"); };
  EXPECT_THROW(reduce_in_step(blocks, {twice, fails_at_once, twice}), std::runtime_error);
  EXPECT_EQ(blocks.sweeps, 0);
  const auto fails_late = [](FeatureBlocks& mine) {
    mine.each([](int64_t, const at::Tensor&) { throw std::runtime_error("in a sweep"); });
  };
  EXPECT_THROW(reduce_in_step(blocks, {twice, fails_late, twice}), std::runtime_error);
  EXPECT_EQ(blocks.sweeps, 1);
}

}  // namespace
}  // namespace cortiscore
