#include "src/ops/train_product.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/counted_work.h"
#include "src/core/parallel.h"
#include "src/ops/batched.h"
#include "src/ops/loops.h"

namespace cortiscore {
namespace {

// Rows whose scores go back into one sum: as many whatever the number of threads, and no more than
// so many sums.
constexpr int64_t kRows = 128, kMostSums = 32;

// X'(in_train o scores) [F, P] and scores [F, N] = X r - shift.
std::pair<at::Tensor, at::Tensor> there_and_back(const at::Tensor& x,
                                                 const at::Tensor& r,
                                                 const at::Tensor& in_train,
                                                 const at::Tensor& shift) {
  if (!x.is_cpu()) {
    const auto scores = at::mm(r, x.t()) - shift.unsqueeze(1);
    return {at::mm(scores * in_train, x), scores};
  }
  const int64_t n = x.size(0), p = x.size(1), f = r.size(0);
  count_work(4.0 * static_cast<double>(n * p * f), 8.0 * static_cast<double>(n * p));
  const int64_t rows = std::max(kRows, (n + kMostSums - 1) / kMostSums);
  const int64_t chunks = (n + rows - 1) / rows;
  const int64_t strips = (p + loops::kStripColumns - 1) / loops::kStripColumns;
  const int64_t padded = strips * loops::kStripColumns;
  const auto packed = at::constant_pad_nd(r, {0, padded - p})
                          .view({f, strips, loops::kStripColumns})
                          .transpose(0, 1)
                          .contiguous();
  const auto weight = in_train.contiguous();
  const auto scores = at::empty({f, n}, x.options());
  const auto sums = at::zeros({chunks, strips, f, loops::kStripColumns}, x.options());
  parallel_for(chunks, [&](int64_t chunk) {
    const int64_t first = chunk * rows;
    std::vector<double> room(static_cast<size_t>(f * loops::kRowsAtOnce));
    loops::there_and_back(x.const_data_ptr<double>() + first * p, p, std::min(rows, n - first), p,
                          packed.const_data_ptr<double>(), shift.const_data_ptr<double>(),
                          weight.const_data_ptr<double>() + first, f, n,
                          scores.mutable_data_ptr<double>() + first,
                          sums.mutable_data_ptr<double>() + chunk * f * padded, room.data());
  });
  return {sums.sum(0).transpose(0, 1).reshape({f, padded}).narrow(1, 0, p), scores};
}

}  // namespace

at::Tensor train_product(const at::Tensor& x,
                         const at::Tensor& r,
                         const at::Tensor& in_train,
                         const at::Tensor& x_mean) {
  const auto [back, scores] = there_and_back(x, r, in_train, (x_mean * r).sum(1));
  // Scores sum to zero over the train rows but for rounding, which must not meet a mean that is not
  // zero.
  return (back - (scores * in_train).sum(1, true) * x_mean).contiguous();
}

at::Tensor train_product_of_gram(const at::Tensor& gram,
                                 const at::Tensor& x_out,
                                 const at::Tensor& r,
                                 const at::Tensor& x_mean,
                                 const at::Tensor& n_train) {
  auto product = shared_product(r, gram);
  const auto shift = (x_mean * r).sum(1);
  product -= (n_train * shift).unsqueeze(1) * x_mean;
  if (!x_out.is_cpu()) {
    const auto there = at::bmm(x_out, r.unsqueeze(2));
    return product - at::bmm(there.transpose(1, 2), x_out).squeeze(1);
  }
  const int64_t l = x_out.size(1), p = x_out.size(2);
  const auto directions = r.contiguous();
  parallel_for(x_out.size(0), [&](int64_t f) {
    std::vector<double> minus(static_cast<size_t>(l), -1.0), scores(static_cast<size_t>(l));
    double room[loops::kRowsAtOnce];
    const double shift_of_rows = 0;
    loops::there_and_back(x_out.const_data_ptr<double>() + f * l * p, p, l, p,
                          directions.const_data_ptr<double>() + f * p, &shift_of_rows, minus.data(),
                          1, l, scores.data(), product.mutable_data_ptr<double>() + f * p, room);
  });
  return product;
}

bool gram_is_cheaper(
    int64_t n, int64_t p, int64_t n_folds, int64_t n_left_out, int64_t n_components) {
  const double a = static_cast<double>(n_folds * n_components);
  const double rows = 4 * static_cast<double>(n - n_left_out) * a;
  return static_cast<double>(p) * (static_cast<double>(n) + 2 * a) < rows;
}

}  // namespace cortiscore
