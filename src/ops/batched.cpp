#include "src/ops/batched.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/ops/loops.h"
#include "src/ops/symmetric.h"

namespace cortiscore {

at::Tensor batched_cross(const at::Tensor& a, const at::Tensor& b) {
  if (!a.is_cpu()) return at::bmm(a.transpose(1, 2), b);
  auto out = at::empty({a.size(0), a.size(2), b.size(2)}, a.options());
  parallel_for(a.size(0), [&](int64_t f) {
    auto item = out.select(0, f);
    at::mm_out(item, a.select(0, f).t(), b.select(0, f));
  });
  return out;
}

at::Tensor batched_gram(const at::Tensor& a) {
  if (!a.is_cpu()) return at::bmm(a, a.transpose(1, 2));
  auto out = at::zeros({a.size(0), a.size(1), a.size(1)}, a.options());
  parallel_for(a.size(0), [&](int64_t f) {
    auto item = out.select(0, f);
    add_lower_half(a.select(0, f), item);
    mirror_lower(item);
  });
  return out;
}

at::Tensor shared_product(const at::Tensor& rows, const at::Tensor& c) {
  if (!rows.is_cpu()) return at::mm(rows, c);
  // So few rows that a general product spends its time packing c. Column blocks keep the results in
  // cache, and threads share them without changing a bit.
  constexpr int64_t kWidth = 128;
  const auto left = rows.contiguous();
  const auto right = c.contiguous();
  const int64_t f = left.size(0), p = right.size(0), n = right.size(1);
  auto out = at::zeros({f, n}, rows.options());
  const double* const x = left.const_data_ptr<double>();
  const double* const m = right.const_data_ptr<double>();
  double* const sum = out.mutable_data_ptr<double>();
  parallel_for((n + kWidth - 1) / kWidth, [&](int64_t block) {
    const int64_t begin = block * kWidth;
    const int64_t width = std::min(kWidth, n - begin);
    loops::add_few_rows_times(x, p, m + begin, n, f, p, width, sum + begin, n);
  });
  return out;
}

}  // namespace cortiscore
