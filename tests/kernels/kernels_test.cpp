// Every kernel against nested loops, without Torch: what compute-sanitizer runs, and the emulated
// device of tests/emulated. One test a kernel, named as it.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "kernels/bootstrap.h"
#include "kernels/fold_updates.h"
#include "kernels/pearson_columns.h"
#include "kernels/ranks.h"
#include "kernels/top_vector.h"
#include "tests/kernels/kernel_test.h"

namespace cortiscore::kernels {
namespace {

const double kNaN = std::nan("");

class Kernels : public KernelTest {};

void expect_close(const std::vector<double>& a, const std::vector<double>& b, double bound) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(b[i])) {
      EXPECT_TRUE(std::isnan(a[i])) << i;
    } else {
      EXPECT_NEAR(a[i], b[i], bound) << i;
    }
  }
}

TEST_F(Kernels, PearsonColumns) {
  for (const size_t n : {0, 1, 2, 31, 32, 33, 500}) {
    for (const size_t c : {1, 31, 32, 33}) {
      auto x = normal(n * c), y = normal(n * c);
      std::vector<uint8_t> keep(n * c);
      for (size_t i = 0; i < n * c; ++i) keep[i] = random_() % 4 != 0;
      std::vector<double> expected(c, kNaN);
      for (size_t j = 0; j < c; ++j) {
        double k = 0, sx = 0, sy = 0, xx = 0, yy = 0, xy = 0;
        for (size_t i = 0; i < n; ++i) {
          if (keep[i * c + j]) k += 1, sx += x[i * c + j], sy += y[i * c + j];
        }
        for (size_t i = 0; i < n; ++i) {
          if (!keep[i * c + j]) continue;
          const double a = x[i * c + j] - sx / k, b = y[i * c + j] - sy / k;
          xx += a * a, yy += b * b, xy += a * b;
        }
        if (k > 1) expected[j] = xy / std::sqrt(xx * yy);
      }
      DeviceArray<double> dx(x), dy(y), r(c);
      DeviceArray<uint8_t> mask(keep);
      ASSERT_EQ(pearson_columns(dx.get(), dy.get(), reinterpret_cast<const bool*>(mask.get()),
                                r.get(), static_cast<int64_t>(n), static_cast<int64_t>(c), nullptr),
                cudaSuccess);
      expect_close(r.host(), expected, 1e-12);
    }
  }
}

TEST_F(Kernels, TopVector) {
  for (const size_t m : {1, 2, 31, 32, 33, 168, 257}) {
    constexpr size_t kF = 3;
    std::vector<double> g(kF * m * m), start(kF * m);
    for (size_t f = 0; f < kF; ++f) {
      const auto s = normal(2 * m * m);
      start[f * m] = 1;
      for (size_t i = 0; i < m; ++i)
        for (size_t j = 0; j < m; ++j)
          for (size_t k = 0; k < 2 * m; ++k)
            g[(f * m + i) * m + j] +=
                s[k * m + i] * s[k * m + j] / std::sqrt(double(i + 1) * double(j + 1));
    }
    DeviceArray<double> dg(g), ds(start), v(kF * m), gv(kF * m), a(kF);
    DeviceArray<int64_t> n(kF);
    DeviceArray<uint8_t> marginal(kF);
    ASSERT_EQ(
        top_vector(dg.get(), ds.get(), 1e-6, 500, 1e-8, v.get(), gv.get(), a.get(), n.get(),
                   reinterpret_cast<bool*>(marginal.get()), kF, static_cast<int64_t>(m), nullptr),
        cudaSuccess);
    const auto got = v.host(), got_g = gv.host();
    const auto counts = n.host();
    for (size_t f = 0; f < kF; ++f) {
      // scikit-learn's loop, as written in the paper's terms: G v normalised, until |w - w_old|^2 <
      // tol.
      std::vector<double> x(start.begin() + long(f * m), start.begin() + long((f + 1) * m)), gx(m);
      const auto multiply = [&] {
        for (size_t i = 0; i < m; ++i) {
          gx[i] = 0;
          for (size_t j = 0; j < m; ++j) gx[i] += g[(f * m + i) * m + j] * x[j];
        }
      };
      multiply();
      int64_t steps = 1;
      for (; m > 1 && steps < 500;) {
        const auto old = x, old_g = gx;
        double norm = 0, a_old = 0;
        for (size_t i = 0; i < m; ++i) norm += gx[i] * gx[i], a_old += x[i] * gx[i];
        for (size_t i = 0; i < m; ++i) x[i] = gx[i] / std::sqrt(norm);
        multiply();
        ++steps;
        double a_new = 0, d2 = 0;
        for (size_t i = 0; i < m; ++i) a_new += x[i] * gx[i];
        for (size_t i = 0; i < m; ++i)
          d2 += (x[i] / std::sqrt(a_new) - old[i] / std::sqrt(a_old)) *
                (gx[i] / std::sqrt(a_new) - old_g[i] / std::sqrt(a_old));
        if (d2 < 1e-6) break;
      }
      EXPECT_EQ(counts[f], steps) << m;
      for (size_t i = 0; i < m; ++i) {
        EXPECT_NEAR(got[f * m + i], x[i], 1e-11);
        EXPECT_NEAR(got_g[f * m + i], gx[i], 1e-8 * std::abs(gx[0]) + 1e-9);
      }
    }
  }
}

TEST_F(Kernels, Downdate) {
  constexpr size_t kF = 4, kP = 33, kM = 31;
  auto s = normal(kF * kP * kM);
  const auto c = normal(kP * kM), x = normal(kF * kP), y = normal(kF * kM), n = normal(kF);
  DeviceArray<double> ds(s), dc(c), dx(x), dy(y), dn(n);
  ASSERT_EQ(downdate(ds.get(), dc.get(), dx.get(), dy.get(), dn.get(), kF, kP, kM, nullptr),
            cudaSuccess);
  for (size_t f = 0; f < kF; ++f)
    for (size_t i = 0; i < kP; ++i)
      for (size_t j = 0; j < kM; ++j) {
        auto& e = s[(f * kP + i) * kM + j];
        e = c[i * kM + j] - e - n[f] * x[f * kP + i] * y[f * kM + j];
      }
  expect_close(ds.host(), s, 1e-13);
}

TEST_F(Kernels, Rank2Update) {
  for (const size_t m : {1, 31, 32, 33}) {
    constexpr size_t kF = 3;
    auto g = normal(kF * m * m);
    const auto u = normal(kF * m), h = normal(kF * m);
    DeviceArray<double> dg(g), du(u), dh(h);
    ASSERT_EQ(rank2_update(dg.get(), du.get(), dh.get(), kF, static_cast<int64_t>(m), nullptr),
              cudaSuccess);
    for (size_t f = 0; f < kF; ++f)
      for (size_t i = 0; i < m; ++i)
        for (size_t j = 0; j < m; ++j)
          g[(f * m + i) * m + j] -= u[f * m + i] * h[f * m + j] + h[f * m + i] * u[f * m + j];
    expect_close(dg.host(), g, 1e-13);
  }
}

TEST_F(Kernels, BootstrapCounts) {
  // Random123's known answer: philox4x32-10 of key 0, counter 0 begins 6627e8d5 e169c58d.
  for (const int64_t n : {1, 31, 32, 33, 12288, 12289}) {
    DeviceArray<double> counts(static_cast<size_t>(2 * n));
    ASSERT_EQ(bootstrap_counts(0, 1, 0, counts.get(), 2, n, nullptr), cudaSuccess);
    const auto got = counts.host();
    double sum = 0;
    for (const auto v : got) sum += v;
    EXPECT_EQ(sum, static_cast<double>(2 * n));
    EXPECT_GE(got[static_cast<size_t>((0xe169c58dULL * static_cast<uint64_t>(n)) >> 32U)], 1);
  }
}

TEST_F(Kernels, PearsonEpilogue) {
  constexpr int64_t kB = 3, kK = 5, kM = 33;
  const auto z = normal(40 * kM), t = normal(40 * kM);
  std::vector<double> sums(kB * kK * kM), total(kB * kM), expected(kB * kM);
  for (int64_t b = 0; b < kB; ++b)
    for (int64_t m = 0; m < kM; ++m) {
      double s[5] = {};
      for (int64_t i = 0; i < 40; ++i) {
        const double x = z[size_t(i * kM + m)], y = m == 5 ? 1.0 : t[size_t(i * kM + m)];
        const double v[5] = {x, y, x * x, y * y, x * y};
        for (int k = 0; k < 5; ++k) s[k] += v[k];
      }
      for (int k = 0; k < 5; ++k) sums[size_t((b * kK + k) * kM + m)] = s[k];
      total[size_t(b * kM + m)] = 40;
      expected[size_t(b * kM + m)] =
          m == 5 ? kNaN
                 : (s[4] - s[0] * s[1] / 40) /
                       std::sqrt((s[2] - s[0] * s[0] / 40) * (s[3] - s[1] * s[1] / 40));
    }
  DeviceArray<double> ds(sums), dt(total), r(kB * kM);
  ASSERT_EQ(pearson_epilogue(ds.get(), dt.get(), r.get(), kB, kK, kM, nullptr), cudaSuccess);
  expect_close(r.host(), expected, 1e-12);
}

TEST_F(Kernels, WeightedMedian) {
  for (const size_t m : {1, 2, 31, 32, 33, 129}) {
    auto values = normal(2 * m);
    if (m > 2) values[1] = kNaN, values[2] = values[0];
    std::vector<double> counts(3 * m), expected;
    for (auto& c : counts) c = static_cast<double>(random_() % 3);
    for (size_t b = 0; b < 3; ++b)
      for (size_t s = 0; s < 2; ++s) {
        std::vector<double> drawn;
        for (size_t i = 0; i < m; ++i)
          if (!std::isnan(values[s * m + i]))
            drawn.insert(drawn.end(), static_cast<size_t>(counts[b * m + i]), values[s * m + i]);
        std::sort(drawn.begin(), drawn.end());
        expected.push_back(
            drawn.empty() ? kNaN : (drawn[(drawn.size() - 1) / 2] + drawn[drawn.size() / 2]) / 2);
      }
    DeviceArray<double> dv(values), dc(counts), out(6);
    ASSERT_EQ(weighted_median(dv.get(), dc.get(), out.get(), 1, 3, 3, 2, static_cast<int64_t>(m),
                              nullptr),
              cudaSuccess);
    expect_close(out.host(), expected, 0);
  }
}

TEST_F(Kernels, SplitHalf) {
  for (const size_t r : {2, 5, 31, 33}) {
    constexpr size_t kM = 3, kSplits = 130;
    std::vector<double> c(kM * r * r), noise(kM, 0.0), expected(kSplits * kM);
    for (size_t m = 0; m < kM; ++m) {
      const auto d = normal(r * 40);
      for (size_t i = 0; i < r; ++i)
        for (size_t j = 0; j < r; ++j)
          for (size_t k = 0; k < 40; ++k) c[(m * r + i) * r + j] += d[i * 40 + k] * d[j * 40 + k];
    }
    noise[2] = 1e9;  // everything counts as constant
    std::vector<uint8_t> first(kSplits * r);
    for (size_t s = 0; s < kSplits; ++s)
      for (size_t i = 0; i < r; ++i) first[s * r + (i + s) % r] = i < r / 2;
    for (size_t s = 0; s < kSplits; ++s)
      for (size_t m = 0; m < kM; ++m) {
        double a = 0, b = 0, ab = 0;
        for (size_t i = 0; i < r; ++i)
          for (size_t j = 0; j < r; ++j) {
            const bool p = first[s * r + i], q = first[s * r + j];
            (p && q ? a : !p && !q ? b : ab) += c[(m * r + i) * r + j];
          }
        expected[s * kM + m] = m == 2 ? kNaN : ab / 2 / std::sqrt(a * b);
      }
    DeviceArray<double> dc(c), dn(noise), out(kSplits * kM);
    DeviceArray<uint8_t> df(first);
    ASSERT_EQ(split_half(dc.get(), df.get(), dn.get(), out.get(), kSplits, static_cast<int64_t>(r),
                         kM, nullptr),
              cudaSuccess);
    expect_close(out.host(), expected, 1e-12);
  }
}

TEST_F(Kernels, TieRanks) {
  for (const size_t n : {1, 31, 32, 33, 257}) {
    std::vector<double> sorted, expected(n);
    std::vector<int64_t> order(n);
    for (size_t i = 0; i < n; ++i) sorted.push_back(static_cast<double>(i / 3));
    for (size_t i = 0; i < n; ++i) order[i] = static_cast<int64_t>((i * 7 + 3) % n);
    bool permutes = n % 7 != 0;
    ASSERT_TRUE(permutes);
    for (size_t i = 0; i < n; ++i) {
      const size_t low = i / 3 * 3, high = std::min(low + 3, n);
      expected[static_cast<size_t>(order[i])] = 0.5 * static_cast<double>(low + 1 + high);
    }
    DeviceArray<double> ds(sorted), out(n);
    DeviceArray<int64_t> dorder(order);
    ASSERT_EQ(tie_ranks(ds.get(), dorder.get(), out.get(), 1, static_cast<int64_t>(n), nullptr),
              cudaSuccess);
    expect_close(out.host(), expected, 0);
  }
}

TEST_F(Kernels, PackTriangle) {
  for (const size_t n : {1, 2, 31, 32, 33, 300}) {
    const auto a = normal(2 * n * n);
    std::vector<double> expected;
    for (size_t k = 0; k < 2; ++k)
      for (size_t i = 0; i < n; ++i)
        for (size_t j = i + 1; j < n; ++j) expected.push_back(a[(k * n + i) * n + j]);
    DeviceArray<double> da(a), out(expected.size());
    ASSERT_EQ(pack_triangle(da.get(), out.get(), 2, static_cast<int64_t>(n), nullptr), cudaSuccess);
    expect_close(out.host(), expected, 0);
  }
}

}  // namespace
}  // namespace cortiscore::kernels
