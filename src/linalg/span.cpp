#include "src/linalg/span.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/linalg/gram.h"

namespace cortiscore {
namespace {

constexpr int64_t kBasisBlock = 4096;  // features that are turned at a time, in float64
constexpr int64_t kProductBlock =
    32768;  // features whose float32 products are added up before float64 takes over

int64_t blocks_of(int64_t p, int64_t block) {
  return (p + block - 1) / block;
}

}  // namespace

Span::Span(at::Tensor reference) {
  const int64_t m = reference.size(0), p = reference.size(1);
  const auto [values, vectors] = at::linalg_eigh(centred_gram(reference));  // ascending
  // Below this an eigenvalue is rounding: the centred rows depend on each other at least once.
  const double smallest = static_cast<double>(m) * std::numeric_limits<double>::epsilon();
  const auto kept = (values > smallest * values.amax()).nonzero().squeeze(1).flip(0);
  const auto turn = (vectors.index_select(1, kept) / values.index_select(0, kept).sqrt()).t();
  const int64_t n_blocks = blocks_of(p, kBasisBlock);
  auto offsets = at::empty({n_blocks, kept.size(0)}, values.options());
  parallel_for(n_blocks, [&](int64_t b) {
    const int64_t begin = b * kBasisBlock, length = std::min(kBasisBlock, p - begin);
    auto block = reference.narrow(1, begin, length);
    const auto rows = block.to(at::kDouble);
    const auto mean = rows.mean(0);
    const auto turned = at::mm(turn, rows - mean);
    offsets.select(0, b).copy_(at::mv(turned, mean));
    block.narrow(0, 0, kept.size(0)).copy_(turned);
  });
  basis_ = reference.narrow(0, 0, kept.size(0));
  offset_ = offsets.sum(0);
}

at::Tensor Span::coordinates(const at::Tensor& x) const {
  const int64_t p = basis_.size(1);
  auto sum = -offset_.unsqueeze(0).repeat({x.size(0), 1});
  for (int64_t begin = 0; begin < p; begin += kProductBlock) {
    const int64_t length = std::min(kProductBlock, p - begin);
    sum += at::mm(x.narrow(1, begin, length), basis_.narrow(1, begin, length).t());
  }
  return sum;
}

}  // namespace cortiscore
