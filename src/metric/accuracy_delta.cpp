#include "src/metric/accuracy_delta.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "src/core/random.h"

namespace cortiscore {

at::Tensor accuracy_delta(const at::Tensor& correct,
                          const at::Tensor& category,
                          const at::Tensor& kind,
                          int64_t n_categories) {
  const auto mean_accuracy = [&](int64_t which) {
    const auto counts = (kind == which).to(at::kDouble);
    const auto member = at::one_hot(category, n_categories).to(at::kDouble).t();
    const auto total = at::mv(member, counts);
    const auto right = at::mv(member, counts * correct.to(at::kDouble));
    return (right / total).nanmean();
  };
  return mean_accuracy(0) - mean_accuracy(1);
}

std::vector<double> accuracy_delta_scores(double model, const std::vector<double>& subjects) {
  const auto n = static_cast<int64_t>(subjects.size());
  constexpr uint32_t kDraws = 100;
  std::vector<double> scores;
  for (uint32_t i = 0; i < kDraws; ++i) {
    NumpyRandomState random(i);
    const auto order =
        random.permutation(n - 1);  // choice without replacement: the first of a permutation
    double sum = 0;
    for (int64_t j = 0; j < n / 2; ++j)
      sum += subjects[static_cast<size_t>(order[static_cast<size_t>(j)] + 1)];
    const double human = sum / static_cast<double>(n / 2);
    scores.push_back(std::max(0.0, 1 - std::abs(human - model) / human));
  }
  return scores;
}

}  // namespace cortiscore
