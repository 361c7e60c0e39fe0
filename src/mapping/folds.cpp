#include "src/mapping/folds.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "src/core/caller.h"
#include "src/core/parallel.h"
#include "src/ops/batched.h"
#include "src/ops/fold_updates.h"

namespace cortiscore {

at::Tensor index_tensor(const std::vector<int64_t>& values, const at::Tensor& like) {
  return at::tensor(values, at::kLong).to(like.device());
}

std::vector<int64_t> complement(const std::vector<int64_t>& indices, int64_t n) {
  std::vector<bool> in(static_cast<size_t>(n));
  for (const auto i : indices) in[static_cast<size_t>(i)] = true;
  std::vector<int64_t> out;
  for (int64_t i = 0; i < n; ++i) {
    if (!in[static_cast<size_t>(i)]) out.push_back(i);
  }
  return out;
}

Folds make_folds(const at::Tensor& x, const at::Tensor& y, const Splits& splits) {
  const auto n_folds = static_cast<int64_t>(splits.size());
  Folds folds;
  size_t longest = 1;
  for (const auto& split : splits) {
    folds.left_out.push_back(complement(split.train, x.size(0)));
    longest = std::max(longest, folds.left_out.back().size());
  }
  const auto l = static_cast<int64_t>(longest);
  folds.x_out = at::empty({n_folds, l, x.size(1)}, x.options());
  folds.y_out = at::empty({n_folds, l, y.size(1)}, y.options());
  std::vector<double> n_train;
  for (const auto& split : splits) n_train.push_back(static_cast<double>(split.train.size()));
  parallel_for(
      n_folds,
      [&](int64_t f) {
        const auto& rows = folds.left_out[static_cast<size_t>(f)];
        const auto index = index_tensor(rows, x);
        const auto count = static_cast<int64_t>(rows.size());
        for (const auto& [out, from] : {std::pair(folds.x_out, x), std::pair(folds.y_out, y)}) {
          auto kept = out.select(0, f).narrow(0, 0, count);
          if (count > 0) at::index_select_out(kept, from, 0, index);
          out.select(0, f).narrow(0, count, l - count).zero_();
        }
      },
      threads_for(x));
  folds.n_train = at::tensor(n_train, at::kDouble).to(x.device());
  folds.x_mean = -folds.x_out.sum(1) / folds.n_train.unsqueeze(1);
  folds.y_mean = -folds.y_out.sum(1) / folds.n_train.unsqueeze(1);
  return folds;
}

at::Tensor train_mask(const Folds& folds, const at::Tensor& x) {
  auto mask = at::ones({static_cast<int64_t>(folds.left_out.size()), x.size(0)}, x.options());
  for (size_t f = 0; f < folds.left_out.size(); ++f)
    mask.select(0, static_cast<int64_t>(f)).index_fill_(0, index_tensor(folds.left_out[f], x), 0);
  return mask;
}

at::Tensor cross_product(const at::Tensor& x, const at::Tensor& y) {
  if (!x.is_cpu()) return at::mm(x.t(), y);
  // In blocks of columns that depend on their number alone, so that threads share it without
  // changing a bit; wide ones, since each block packs y anew.
  const int64_t block = std::clamp<int64_t>(x.size(1) / 4, 64, 512);
  auto out = at::empty({x.size(1), y.size(1)}, x.options());
  const int64_t blocks = (x.size(1) + block - 1) / block;
  parallel_for(blocks, [&](int64_t i) {
    const int64_t width = std::min(block, x.size(1) - i * block);
    auto rows = out.narrow(0, i * block, width);
    at::mm_out(rows, x.narrow(1, i * block, width).t(), y);
  });
  return out;
}

at::Tensor train_cross(const Folds& folds, const at::Tensor& x, const at::Tensor& y) {
  auto cross = batched_cross(folds.x_out, folds.y_out);
  downdate(cross, cross_product(x, y), folds.x_mean, folds.y_mean, folds.n_train);
  return cross;
}

at::Tensor train_gram(const Folds& folds, const at::Tensor& c, int64_t split) {
  const auto out = folds.x_out.select(0, split);
  auto gram = at::addmm(c, out.t(), out, 1, -1);
  const auto mean = folds.x_mean.select(0, split);
  return gram.addr_(mean * folds.n_train.select(0, split), mean, 1, -1);
}

at::Tensor test_rows(const Folds& folds,
                     const Splits& splits,
                     int64_t split,
                     int64_t n_presentations,
                     const at::Tensor& over_left_out) {
  const auto& left_out = folds.left_out[static_cast<size_t>(split)];
  std::vector<int64_t> position(static_cast<size_t>(n_presentations), -1);
  for (size_t i = 0; i < left_out.size(); ++i)
    position[static_cast<size_t>(left_out[i])] = static_cast<int64_t>(i);
  std::vector<int64_t> rows;
  for (const auto i : splits[static_cast<size_t>(split)].test)
    rows.push_back(position[static_cast<size_t>(i)]);
  return over_left_out.index_select(0, index_tensor(rows, over_left_out));
}

}  // namespace cortiscore
