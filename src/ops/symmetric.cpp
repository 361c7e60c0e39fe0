#include "src/ops/symmetric.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "src/core/parallel.h"

namespace cortiscore {

void add_lower_half(const at::Tensor& a, at::Tensor out) {
  constexpr int64_t kWhole = 48;
  const int64_t n = a.size(0);
  if (n <= kWhole) {
    out.addmm_(a, a.t());
    return;
  }
  const int64_t half = n / 2;
  const auto upper = a.narrow(0, 0, half), lower = a.narrow(0, half, n - half);
  add_lower_half(upper, out.narrow(0, 0, half).narrow(1, 0, half));
  out.narrow(0, half, n - half).narrow(1, 0, half).addmm_(lower, upper.t());
  add_lower_half(lower, out.narrow(0, half, n - half).narrow(1, half, n - half));
}

void mirror_lower(at::Tensor& out) {
  constexpr int64_t kBlock = 64;  // fits the cache both ways
  const int64_t n = out.size(0);
  double* const m = out.mutable_data_ptr<double>();
  const int64_t blocks = (n + kBlock - 1) / kBlock;
  parallel_for(blocks, [&](int64_t bi) {
    for (int64_t bj = 0; bj <= bi; ++bj) {
      for (int64_t i = bi * kBlock; i < std::min(n, (bi + 1) * kBlock); ++i) {
        for (int64_t j = bj * kBlock; j < std::min(i, (bj + 1) * kBlock); ++j)
          m[j * n + i] = m[i * n + j];
      }
    }
  });
}

}  // namespace cortiscore
