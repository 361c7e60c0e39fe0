// Operations and bytes of operators whose work is known in closed form.
#include "src/profile/operator_counts.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "src/core/counted_work.h"

namespace cortiscore {
namespace {

template <typename Call>
Work work_of(const Call& call) {
  StageLog log;
  const OperatorCounts counts;
  {
    const Stage forward(StageName::kForward, "group");
    call();
  }
  const auto work = counts.work();
  for (const auto& [what, of_stage] : work) {
    EXPECT_EQ(what.first, StageName::kForward);
    EXPECT_EQ(what.second, "group");
  }
  return work.empty() ? Work() : work.begin()->second;
}

TEST(OperatorCounts, AProductIsTwoOperationsForEveryTriple) {
  const auto a = at::ones({3, 5}), b = at::ones({5, 7});
  const auto work = work_of([&] { at::mm(a, b); });
  EXPECT_EQ(work.flops, 2 * 3 * 5 * 7);
  EXPECT_EQ(work.bytes, 4 * (3 * 5 + 5 * 7 + 3 * 7));
  EXPECT_EQ(work.operators, 1);
}

TEST(OperatorCounts, BatchedProductsAndLayersCountTheirProducts) {
  const auto x = at::ones({4, 3, 5}), y = at::ones({4, 5, 7}), w = at::ones({6, 5}),
             bias = at::ones({6});
  EXPECT_EQ(work_of([&] { at::bmm(x, y); }).flops, 2 * 4 * 3 * 5 * 7);
  EXPECT_EQ(work_of([&] { at::linear(x.select(0, 0), w, bias); }).flops, 2 * 3 * 5 * 6);
}

TEST(OperatorCounts, AConvolutionCountsEveryPlaceOfItsFilter) {
  const auto x = at::ones({2, 4, 9, 11}), w = at::ones({6, 2, 3, 5});  // of two groups
  const auto work = work_of([&] {
    at::conv2d(x, w, at::Tensor(), at::IntArrayRef{2, 2}, at::IntArrayRef{1, 1},
               at::IntArrayRef{1, 1}, 2);
  });
  const int64_t high = (9 + 2 - 3) / 2 + 1, wide = (11 + 2 - 5) / 2 + 1;
  EXPECT_EQ(work.flops, 2.0 * 2 * high * wide * 6 * 2 * 3 * 5);
  EXPECT_EQ(work.bytes, 4.0 * (x.numel() + w.numel() + 2 * 6 * high * wide))
      << "inner operators are not counted again";
  EXPECT_EQ(work_of([&] {
              at::conv2d(x, w, at::Tensor(), at::IntArrayRef{1, 1}, at::IntArrayRef{0, 0},
                         at::IntArrayRef{2, 2}, 2);
            }).flops,
            2.0 * 2 * 5 * 3 * 6 * 2 * 3 * 5)
      << "dilated";
}

TEST(OperatorCounts, FactorisationsCountByTheirFormulas) {
  const auto x = at::rand({40, 6}, at::kDouble), gram = at::mm(x.t(), x),
             y = at::rand({6, 3}, at::kDouble);
  const auto factor = std::get<0>(at::linalg_cholesky_ex(gram));
  EXPECT_DOUBLE_EQ(work_of([&] { at::linalg_cholesky_ex(gram); }).flops, 6.0 * 6 * 6 / 3);
  EXPECT_DOUBLE_EQ(work_of([&] { at::cholesky_solve(y, factor); }).flops, 2.0 * 6 * 3 * 6);
  EXPECT_DOUBLE_EQ(work_of([&] { at::linalg_qr(x); }).flops, 4.0 * 6 * (40 * 6 - 6 * 6 / 3.0));
}

TEST(OperatorCounts, AttentionIsTwoProducts) {
  const auto q = at::rand({2, 3, 8, 16}), k = at::rand({2, 3, 10, 16}),
             v = at::rand({2, 3, 10, 16});
  const auto work = work_of([&] { at::scaled_dot_product_attention(q, k, v); });
  EXPECT_NEAR(work.flops, 2.0 * 2 * 3 * 8 * 10 * (16 + 16), 0.2 * work.flops)
      << "softmax, where it is apart, is little beside";
}

TEST(OperatorCounts, ElementsCountOnceAndViewsNotAtAll) {
  const auto x = at::ones({8, 16});
  const auto add = work_of([&] { at::add(x, x); });
  EXPECT_EQ(add.flops, 128);
  EXPECT_EQ(add.bytes, 3 * 4 * 128);
  const auto views = work_of([&] {
    x.view({4, 32}).t().narrow(0, 0, 2).contiguous().contiguous();
  });
  EXPECT_EQ(views.flops, 0);
  EXPECT_EQ(views.bytes, 2 * 4 * 8) << "the one copy that contiguous() makes";
  EXPECT_EQ(work_of([&] { x.add_(1); }).bytes, 2 * 4 * 128) << "read and written where it is";
  EXPECT_EQ(work_of([&] { x.sum(); }).flops, 128);
}

TEST(OperatorCounts, OwnLoopsSayWhatTheyDo) {
  const auto work = work_of([] { count_work(100, 40); });
  EXPECT_EQ(work.flops, 100);
  EXPECT_EQ(work.bytes, 40);
  count_work(1, 1);  // nobody is told any more
}

}  // namespace
}  // namespace cortiscore
