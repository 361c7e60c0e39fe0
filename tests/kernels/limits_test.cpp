// Kernels where their headers, or the wrappers of src/ops/fused_cuda.cpp, end: sizes, NaN.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "kernels/bootstrap.h"
#include "kernels/fold_updates.h"
#include "kernels/pearson_columns.h"
#include "kernels/ranks.h"
#include "kernels/top_vector.h"
#include "tests/kernels/kernel_test.h"
#ifdef CORTISCORE_EMULATED_DEVICE
#include "tests/emulated/device.h"
#endif

namespace cortiscore::kernels {
namespace {

const double kNaN = std::nan("");
constexpr int64_t kBeyondY = 65536;  // grid.y and grid.z end before

class KernelLimits : public KernelTest {};

// --- as many rows, matrices, neuroids and folds as there are -------------------------------------

TEST_F(KernelLimits, TieRanksOf65536Rows) {
  DeviceArray<double> sorted(kBeyondY), out(kBeyondY);
  DeviceArray<int64_t> order(kBeyondY);
  ASSERT_EQ(tie_ranks(sorted.get(), order.get(), out.get(), kBeyondY, 1, nullptr), cudaSuccess);
  EXPECT_EQ(out.host(), std::vector<double>(kBeyondY, 1.0));
}

TEST_F(KernelLimits, TrianglesOf65536Matrices) {
  const auto a = normal(4 * kBeyondY);
  std::vector<double> expected;
  for (size_t i = 0; i < kBeyondY; ++i) expected.push_back(a[4 * i + 1]);
  DeviceArray<double> matrices(a), packed(kBeyondY);
  ASSERT_EQ(pack_triangle(matrices.get(), packed.get(), kBeyondY, 2, nullptr), cudaSuccess);
  EXPECT_EQ(packed.host(), expected);
}

TEST_F(KernelLimits, SplitHalfOf65536Neuroids) {  // voxels, all at once where stimuli are few
  DeviceArray<double> c(std::vector<double>(4 * kBeyondY, 1.0)), noise(kBeyondY), out(kBeyondY);
  DeviceArray<uint8_t> first(std::vector<uint8_t>{1, 0});
  ASSERT_EQ(split_half(c.get(), first.get(), noise.get(), out.get(), 1, 2, kBeyondY, nullptr),
            cudaSuccess);
  EXPECT_EQ(out.host(), std::vector<double>(kBeyondY, 1.0));
}

TEST_F(KernelLimits, Rank2UpdateOf65536Folds) {
  const auto g = normal(kBeyondY), u = normal(kBeyondY), h = normal(kBeyondY);
  DeviceArray<double> dg(g), du(u), dh(h);
  ASSERT_EQ(rank2_update(dg.get(), du.get(), dh.get(), kBeyondY, 1, nullptr), cudaSuccess);
  const auto got = dg.host();
  for (size_t f = 0; f < kBeyondY; ++f)
    ASSERT_NEAR(got[f], g[f] - 2 * u[f] * h[f], 1e-14 * (1 + std::abs(u[f] * h[f]))) << f;
}

// A block that takes several neuroids: the second of them differs from the first.
TEST_F(KernelLimits, SplitHalfGoesOnToOtherNeuroids) {
  constexpr size_t kM = 4100;
  std::vector<double> c, expected;
  for (size_t i = 0; i < kM; ++i) {
    const double r = 1 - static_cast<double>(i) / kM;
    c.insert(c.end(), {1, r, r, 1});
    expected.push_back(r);
  }
  DeviceArray<double> dc(c), noise(kM), out(kM);
  DeviceArray<uint8_t> first(std::vector<uint8_t>{1, 0});
  ASSERT_EQ(split_half(dc.get(), first.get(), noise.get(), out.get(), 1, 2, kM, nullptr),
            cudaSuccess);
  EXPECT_EQ(out.host(), expected);
}

// --- sizes that wrappers let through -------------------------------------------------------------

// Beyond 227 KB and beyond 99 KB of shared memory, of which the emulated device has either
// (CORTISCORE_EMULATED_ARCH): v and G v of the largest matrix still lie there. G is diagonal, its
// largest entries are equal, and the start is one of their vectors: it is the answer.
TEST_F(KernelLimits, TopVectorOfManyTargets) {
  for (const int64_t m : {160, 3200, 4096}) {
    std::vector<double> g(static_cast<size_t>(m * m)), start(static_cast<size_t>(m));
    for (int64_t i = 0; i < m; ++i) g[static_cast<size_t>(i * m + i)] = 1;
    start[7] = 1;
    DeviceArray<double> dg(g), ds(start), v(start.size()), gv(start.size()), a(1);
    DeviceArray<int64_t> n(1);
    DeviceArray<uint8_t> marginal(1);
    ASSERT_EQ(top_vector(dg.get(), ds.get(), 1e-6, 500, 1e-8, v.get(), gv.get(), a.get(), n.get(),
                         reinterpret_cast<bool*>(marginal.get()), 1, m, nullptr),
              cudaSuccess)
        << m;
    EXPECT_EQ(n.host()[0], 2) << m;
    EXPECT_EQ(v.host(), start) << m;
  }
}

TEST_F(KernelLimits, MedianOfLongRows) {
  const auto values = normal(kMostMedianEntries);
  auto sorted = values;
  std::sort(sorted.begin(), sorted.end());
  DeviceArray<double> dv(values), counts(std::vector<double>(values.size(), 1.0)), out(1);
  ASSERT_EQ(
      weighted_median(dv.get(), counts.get(), out.get(), 1, 1, 1, 1, kMostMedianEntries, nullptr),
      cudaSuccess);
  const auto middle = static_cast<size_t>(kMostMedianEntries / 2);
  EXPECT_EQ(out.host()[0], (sorted[middle - 1] + sorted[middle]) / 2);
}

TEST_F(KernelLimits, MedianOfValuesThatDrawsChange) {
  constexpr int64_t kB = 3, kS = 2, kM = 5;
  const auto values = normal(kB * kS * kM);
  for (const int64_t b_counts : {int64_t{1}, kB}) {
    const std::vector<double> ones(static_cast<size_t>(b_counts * kM), 1.0);
    DeviceArray<double> dv(values), counts(ones), out(kB * kS);
    ASSERT_EQ(weighted_median(dv.get(), counts.get(), out.get(), kB, b_counts, kB, kS, kM, nullptr),
              cudaSuccess);
    const auto got = out.host();
    for (int64_t row = 0; row < kB * kS; ++row) {
      std::vector<double> sorted(values.begin() + row * kM, values.begin() + (row + 1) * kM);
      std::sort(sorted.begin(), sorted.end());
      EXPECT_EQ(got[static_cast<size_t>(row)], sorted[2]);
    }
  }
}

TEST_F(KernelLimits, SplitHalfOfManyRepetitions) {
  const auto r = static_cast<size_t>(kMostRepetitions);
  std::vector<uint8_t> first(r);
  std::fill_n(first.begin(), r / 2, uint8_t{1});
  DeviceArray<double> c(std::vector<double>(r * r, 1.0)), noise(1), out(1);
  DeviceArray<uint8_t> df(first);
  ASSERT_EQ(split_half(c.get(), df.get(), noise.get(), out.get(), 1, kMostRepetitions, 1, nullptr),
            cudaSuccess);
  EXPECT_NEAR(out.host()[0], 1, 1e-12);
  EXPECT_EQ(
      split_half(c.get(), df.get(), noise.get(), out.get(), 1, kMostRepetitions + 1, 1, nullptr),
      cudaErrorInvalidValue);
}

TEST_F(KernelLimits, TieRanksOfSeveralRows) {
  DeviceArray<double> sorted(std::vector<double>{1, 1, 2, 0, 5, 5}), out(6);
  DeviceArray<int64_t> order(std::vector<int64_t>{2, 0, 1, 0, 1, 2});
  ASSERT_EQ(tie_ranks(sorted.get(), order.get(), out.get(), 2, 3, nullptr), cudaSuccess);
  EXPECT_EQ(out.host(), (std::vector<double>{1.5, 3, 1.5, 1, 2.5, 2.5}));
}

TEST_F(KernelLimits, PearsonOfFloatsWithoutMask) {
  // y is 2 x + 1, -x, and a constant.
  std::vector<float> x, y;
  for (int i = 0; i < 100; ++i) {
    const auto v = static_cast<float>(i * i % 17);
    x.insert(x.end(), {v, v, v});
    y.insert(y.end(), {2 * v + 1, -v, 4});
  }
  DeviceArray<float> dx(x), dy(y);
  DeviceArray<double> r(3);
  ASSERT_EQ(pearson_columns(dx.get(), dy.get(), nullptr, r.get(), 100, 3, nullptr), cudaSuccess);
  const auto got = r.host();
  EXPECT_NEAR(got[0], 1, 1e-14);
  EXPECT_NEAR(got[1], -1, 1e-14);
  EXPECT_TRUE(std::isnan(got[2]));
}

TEST_F(KernelLimits, CountsOverwriteWhatIsThere) {  // bootstrap.h: n <= 12288
  DeviceArray<double> counts(std::vector<double>(size_t{2} * 12288, 5.0));
  ASSERT_EQ(bootstrap_counts(3, 0, 7, counts.get(), 2, 12288, nullptr), cudaSuccess);
  double sum = 0;
  for (const auto v : counts.host()) sum += v;
  EXPECT_EQ(sum, 2 * 12288);
}

#ifdef CORTISCORE_EMULATED_DEVICE
// What a launch may have is a setting of the kernel, which threads share: a small matrix must not
// take it from a large one (51 KB), whose launch in another thread would find too little.
TEST_F(KernelLimits, ASmallMatrixTakesNoSharedMemoryFromALargeOne) {
  const auto allowed_after = [](int64_t m) {
    DeviceArray<double> g(std::vector<double>(static_cast<size_t>(m * m), 1.0));
    DeviceArray<double> start(std::vector<double>(static_cast<size_t>(m), 1.0));
    DeviceArray<double> v(static_cast<size_t>(m)), gv(static_cast<size_t>(m)), a(1);
    DeviceArray<int64_t> n(1);
    DeviceArray<uint8_t> marginal(1);
    EXPECT_EQ(top_vector(g.get(), start.get(), 1e-6, 1, 1e-8, v.get(), gv.get(), a.get(), n.get(),
                         reinterpret_cast<bool*>(marginal.get()), 1, m, nullptr),
              cudaSuccess);
    return emulated::shared_opt_in("top_vector_kernel");
  };
  const auto allowed = allowed_after(80);
  EXPECT_GE(allowed, sizeof(double) * 80 * 80);
  EXPECT_EQ(allowed_after(2), allowed);
}
#endif

// --- NaN in is NaN out ---------------------------------------------------------------------------

TEST_F(KernelLimits, SplitHalfKeepsNaN) {  // internal_consistency.h: the neuroid's alone
  DeviceArray<double> c(std::vector<double>{kNaN, kNaN, kNaN, kNaN, 1, 1, 1, 1});
  DeviceArray<double> noise(std::vector<double>{kNaN, 0}), out(2);
  DeviceArray<uint8_t> first(std::vector<uint8_t>{1, 0});
  ASSERT_EQ(split_half(c.get(), first.get(), noise.get(), out.get(), 1, 2, 2, nullptr),
            cudaSuccess);
  EXPECT_TRUE(std::isnan(out.host()[0])) << out.host()[0];
  EXPECT_EQ(out.host()[1], 1);
}

TEST_F(KernelLimits, PearsonKeepsNaN) {
  auto x = normal(40);
  const auto y = normal(40);
  x[6] = kNaN;
  DeviceArray<double> dx(x), dy(y), r(1);
  ASSERT_EQ(pearson_columns(dx.get(), dy.get(), nullptr, r.get(), 40, 1, nullptr), cudaSuccess);
  EXPECT_TRUE(std::isnan(r.host()[0]));
}

TEST_F(KernelLimits, PearsonEpilogueKeepsNaN) {
  DeviceArray<double> sums(std::vector<double>{0, 0, 10, 10, kNaN});
  DeviceArray<double> total(std::vector<double>{10}), r(1);
  ASSERT_EQ(pearson_epilogue(sums.get(), total.get(), r.get(), 1, 5, 1, nullptr), cudaSuccess);
  EXPECT_TRUE(std::isnan(r.host()[0])) << r.host()[0];
}

}  // namespace
}  // namespace cortiscore::kernels
