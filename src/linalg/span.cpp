#include "src/linalg/span.h"

#include <algorithm>
#include <limits>

#include <ATen/ATen.h>

#include "src/core/caller.h"
#include "src/core/parallel.h"
#include "src/linalg/gram.h"

namespace cortiscore {

Span::Span(FeatureBlocks& reference) {
  const auto [values, vectors] = at::linalg_eigh(centred_gram(reference));  // ascending
  // Below this an eigenvalue is rounding: the centred rows depend on each other at least once.
  const double smallest =
      static_cast<double>(reference.rows()) * std::numeric_limits<double>::epsilon();
  const auto kept = (values > smallest * values.amax()).nonzero().squeeze(1).flip(0);
  turn_ = (vectors.index_select(1, kept) / values.index_select(0, kept).sqrt()).t();
}

at::Tensor Span::basis(const at::Tensor& columns, at::Tensor& offset) const {
  constexpr int64_t kBlock = FeatureBlocks::kWidth;  // turned at a time, in float64
  const int64_t p = columns.size(1), n_blocks = (p + kBlock - 1) / kBlock;
  auto offsets = at::empty({n_blocks, size()}, turn_.options());
  parallel_for(
      n_blocks,
      [&](int64_t b) {
        auto block = columns.narrow(1, b * kBlock, std::min(kBlock, p - b * kBlock));
        const auto rows = block.to(at::kDouble);
        const auto mean = rows.mean(0);
        const auto turned = at::mm(turn_, rows - mean);
        offsets.select(0, b).copy_(at::mv(turned, mean));
        block.narrow(0, 0, size()).copy_(turned);
      },
      threads_for(columns));
  for (int64_t b = 0; b < n_blocks; ++b) offset += offsets.select(0, b);
  return columns.narrow(0, 0, size());
}

void add_span_products(const at::Tensor& x, const at::Tensor& basis, at::Tensor& sum) {
  const int64_t p = basis.size(1);
  for (int64_t begin = 0; begin < p; begin += Span::kWidth) {
    const int64_t width = std::min(Span::kWidth, p - begin);
    sum += at::mm(x.narrow(1, begin, width), basis.narrow(1, begin, width).t());
  }
}

}  // namespace cortiscore
