#include "src/linalg/feature_blocks.h"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/parallel.h"

namespace cortiscore {

at::Tensor by_columns(FeatureBlocks& x,
                      const std::function<at::Tensor(int64_t, const at::Tensor&)>& f) {
  std::vector<at::Tensor> parts;
  x.each([&](int64_t begin, const at::Tensor& columns) { parts.push_back(f(begin, columns)); });
  return parts.size() == 1 ? parts[0] : at::cat(parts, 1);
}

int64_t block_bytes(int64_t rows, int64_t features) {
  // The block itself, and up to three strips of 512 columns a thread that are turned or solved for
  // (linalg/gram.cpp).
  const int64_t strips = std::max<int64_t>(1, 3 * thread_count() / 8);
  return rows * std::min(features, FeatureBlocks::kWidth) * (1 + strips) * int64_t{sizeof(double)};
}

at::Tensor whole(FeatureBlocks& x) {
  return by_columns(x, [](int64_t, const at::Tensor& columns) { return columns; });
}

}  // namespace cortiscore
