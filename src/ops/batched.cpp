#include "src/ops/batched.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "src/core/parallel.h"

namespace cortiscore {

at::Tensor batched_matvec(const at::Tensor& a, const at::Tensor& v) {
  if (!a.is_cpu()) return at::bmm(a, v.unsqueeze(2)).squeeze(2);
  auto out = at::empty({a.size(0), a.size(1)}, a.options());
  parallel_for(a.size(0), [&](int64_t f) {
    auto row = out.select(0, f);
    at::mv_out(row, a.select(0, f), v.select(0, f));
  });
  return out;
}

at::Tensor batched_vecmat(const at::Tensor& v, const at::Tensor& a) {
  return batched_matvec(a.transpose(1, 2), v);
}

at::Tensor batched_cross(const at::Tensor& a, const at::Tensor& b) {
  if (!a.is_cpu()) return at::bmm(a.transpose(1, 2), b);
  auto out = at::empty({a.size(0), a.size(2), b.size(2)}, a.options());
  parallel_for(a.size(0), [&](int64_t f) {
    auto item = out.select(0, f);
    at::mm_out(item, a.select(0, f).t(), b.select(0, f));
  });
  return out;
}

at::Tensor shared_product(const at::Tensor& rows, const at::Tensor& c) {
  if (!rows.is_cpu()) return at::mm(rows, c);
  constexpr int64_t kWidth = 512;
  auto out = at::empty_like(rows);
  const int64_t blocks = (c.size(1) + kWidth - 1) / kWidth;
  parallel_for(blocks, [&](int64_t i) {
    const int64_t begin = i * kWidth;
    const int64_t width = std::min(kWidth, c.size(1) - begin);
    auto part = out.narrow(1, begin, width);
    part.copy_(at::mm(rows, c.narrow(1, begin, width)));
  });
  return out;
}

}  // namespace cortiscore
