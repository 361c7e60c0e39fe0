#include "src/metric/factor_terms.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace cortiscore {
namespace {

at::Tensor members(const FactorPairs& pairs) {  // [n_pairs, n_factors]
  return at::one_hot(pairs.factor, pairs.n_factors).to(at::kDouble);
}

}  // namespace

FactorPairs FactorPairs::to(const at::Device& device) const {
  return {first.to(device), second.to(device), factor.to(device), n_factors};
}

at::Tensor factor_terms(FeatureBlocks& units, const FactorPairs& pairs) {
  constexpr int64_t kWidth = 256;  // pairs are tens of thousands
  const auto member = members(pairs);
  const auto mean_of_members = (member / member.sum(0, true)).t().contiguous();
  const auto n = pairs.first.size(0);
  auto terms = at::zeros({2, n}, member.options());
  units.each([&](int64_t, const at::Tensor& columns) {
    for (int64_t begin = 0; begin < columns.size(1); begin += kWidth) {
      const auto some =
          columns.narrow(1, begin, std::min(kWidth, columns.size(1) - begin)).to(at::kDouble);
      const auto a = some.index_select(0, pairs.first), b = some.index_select(0, pairs.second);
      const auto mu = (a.mean(0) + b.mean(0)) / 2;
      const auto own = at::mm(mean_of_members, (a + b) / 2).index_select(0, pairs.factor);
      terms[0].add_(((a - own) * (b - own)).sum(1));
      terms[1].add_(((a - mu).square() + (b - mu).square()).sum(1) / 2);
    }
  });
  return terms;
}

at::Tensor factor_shares(const at::Tensor& terms,
                         const FactorPairs& pairs,
                         const at::Tensor& weights) {
  const auto member = members(pairs);
  const auto variance = at::mv(weights, terms[1]) / weights.sum(1);
  const auto covariance = at::mm(weights, member * terms[0].unsqueeze(1)) / at::mm(weights, member);
  const auto scores = covariance / variance.unsqueeze(1);
  return at::softmax(at::cat({scores, at::ones({weights.size(0), 1}, scores.options())}, 1), 1);
}

at::Tensor factor_dimensions(const at::Tensor& terms, const FactorPairs& pairs, int64_t n_units) {
  const auto shares =
      factor_shares(terms, pairs, at::ones({1, terms.size(1)}, terms.options())).squeeze(0);
  auto dimensions = (shares * static_cast<double>(n_units)).floor().to(at::kLong);
  auto rest = dimensions.narrow(0, pairs.n_factors, 1);
  rest.copy_(n_units - dimensions.narrow(0, 0, pairs.n_factors).sum().unsqueeze(0));
  return dimensions;
}

}  // namespace cortiscore
