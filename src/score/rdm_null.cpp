#include "src/score/rdm_null.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <ATen/ATen.h>

#include "src/core/random.h"
#include "src/core/stage.h"
#include "src/core/stop.h"
#include "src/ops/average_ranks.h"
#include "src/ops/upper_triangle.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

constexpr int64_t kMostPairs = 1000000000;  // some ten seconds

// A matrix whose upper triangle has ranks in place of values: an order of the stimuli changes none.
at::Tensor ranked(const at::Tensor& matrix) {
  const int64_t n = matrix.size(0);
  const auto places =
      at::triu_indices(n, n, 1, at::TensorOptions().dtype(at::kLong)).to(matrix.device());
  auto square = at::zeros({n, n}, matrix.options());
  square.index_put_({places[0], places[1]}, average_ranks(upper_triangle(matrix)));
  return square + square.t();
}

// A row's mean and length, which no order of the stimuli changes; that of a cosine's has no mean.
std::pair<at::Tensor, at::Tensor> centre_and_length(const at::Tensor& pairs,
                                                    RdmComparison comparison) {
  const auto centre = comparison == RdmComparison::kCosine
                          ? at::zeros({pairs.size(0), 1}, pairs.options())
                          : pairs.mean(1, /*keepdim=*/true);
  return {centre, (pairs - centre).norm(2, {1}, /*keepdim=*/true)};
}

// Where what is compared lies in a flat matrix whose rows and columns are in other orders.
// @param orders  [draws, n] int64  @return [draws, pairs]
at::Tensor places_of(const at::Tensor& orders, RdmComparison comparison) {
  const int64_t n = orders.size(1);
  const auto all = orders.unsqueeze(2) * n + orders.unsqueeze(1);  // [draws, n, n]
  return compared_pairs(all.to(at::kDouble), comparison).to(at::kLong);
}

}  // namespace

at::Tensor similarities_of_orders(const std::vector<at::Tensor>& layers,
                                  const SubjectRdms& with,
                                  int64_t null_draws,
                                  uint32_t seed) {
  const Stage drawing(StageName::kResample);
  auto comparison = with.comparison;
  auto subjects = with.pairs;
  const bool of_ranks = comparison == RdmComparison::kSpearman;
  const bool is_product =
      of_ranks || comparison == RdmComparison::kPearson || comparison == RdmComparison::kCosine;
  const auto n_layers = static_cast<int64_t>(layers.size()), n_subjects = subjects.size(0);
  const int64_t n_orders =
      is_product ? fewer_where_large(2 * null_draws, n_layers * subjects.size(1), kMostPairs)
                 : fewer_where_large(null_draws, n_layers * n_subjects * subjects.size(1),
                                     kMostPairs / 20);
  std::vector<at::Tensor> flat, undefined;
  for (const auto& layer : layers) {
    undefined.push_back(compared_pairs(layer, comparison).isnan().any());
    auto square = layer.nan_to_num();
    if (of_ranks) square = ranked(square);
    if (is_product) {
      const auto [centre, length] =
          centre_and_length(compared_pairs(square, comparison).unsqueeze(0), comparison);
      square = (square - centre) / length;
    }
    flat.push_back(square.flatten());
  }
  if (of_ranks) subjects = average_ranks(subjects);
  if (is_product) {
    const auto [centre, length] = centre_and_length(subjects, comparison);
    subjects = (subjects - centre) / length;
  }
  const auto squares = at::stack(flat);  // [layers, n n]
  NumpyGenerator random(seed);
  const int64_t n = layers.front().size(0);
  const int64_t at_once = std::max<int64_t>(1, (int64_t{1} << 22) / (n * n * n_layers));
  std::vector<at::Tensor> all;
  for (int64_t first = 0; first < n_orders; first += at_once) {
    check_stop();
    std::vector<at::Tensor> orders;
    for (int64_t draw = first; draw < std::min(n_orders, first + at_once); ++draw)
      orders.push_back(at::tensor(random.permutation(n), at::kLong));
    const auto places = places_of(at::stack(orders), comparison).to(squares.device());
    const auto pairs = squares.index_select(1, places.flatten());  // [layers, draws pairs]
    const auto rows = pairs.reshape({-1, places.size(1)});
    all.push_back(
        (is_product ? at::mm(rows, subjects.t()) : compare_rdms(rows, subjects, comparison))
            .reshape({n_layers, places.size(0), n_subjects}));
  }
  auto similarities = at::cat(all, 1);
  similarities.masked_fill_(at::stack(undefined).reshape({n_layers, 1, 1}),
                            std::numeric_limits<double>::quiet_NaN());
  return similarities;
}

std::vector<double> null_of_choice(const at::Tensor& own) {
  at::Tensor chosen;
  if (own.size(0) == 1) {
    chosen = own[0];
  } else {
    // As layers are chosen: for every subject the one of highest mean similarity with the others.
    const auto there = own.isnan().logical_not();
    const auto filled = at::where(there, own, 0.0);
    const auto n = there.sum(2, true) - there.to(at::kLong);
    const auto others = (filled.sum(2, true) - filled) / n;
    const auto best = at::where(n > 0, others, -std::numeric_limits<double>::infinity())
                          .argmax(0);  // [orders, subjects]
    chosen = own.gather(0, best.unsqueeze(0)).squeeze(0);
  }
  const auto values = chosen.nanmean(1).cpu().contiguous();
  const auto* const first = values.const_data_ptr<double>();
  return {first, first + values.numel()};
}

}  // namespace cortiscore
