#include "src/metric/accuracy_delta.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

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

at::Tensor subject_accuracy_delta(const at::Tensor& correct, const at::Tensor& kind) {
  const auto right = correct.to(at::kDouble);
  const auto accuracy = [&](int64_t which) {
    const auto counts = (kind == which).to(at::kDouble);
    return (right * counts).sum() / counts.sum();
  };
  return accuracy(0) - accuracy(1);
}

namespace {

constexpr int kDraws = 100;

// Means of the losses of the subjects whose numbers are drawn, and of the others.
std::pair<double, double> draw_half(const std::vector<SubjectDelta>& subjects,
                                    NumpyRandomState& random) {
  const auto n = static_cast<int64_t>(subjects.size());
  const auto order =
      random.permutation(n - 1);  // choice without replacement: the first of a permutation
  const std::set<int64_t> drawn(order.begin(), order.begin() + n / 2);
  double in = 0, out = 0, n_in = 0, n_out = 0;
  for (const auto& subject : subjects) {
    const bool is_in = drawn.contains(subject.number - 1);
    (is_in ? in : out) += subject.delta;
    (is_in ? n_in : n_out) += 1;
  }
  return {in / n_in, out / n_out};
}

}  // namespace

std::vector<double> accuracy_delta_scores(double model, const std::vector<SubjectDelta>& subjects) {
  std::vector<double> scores;
  for (int i = 0; i < kDraws; ++i) {
    NumpyRandomState random(static_cast<uint32_t>(i));
    const double human = draw_half(subjects, random).first;
    scores.push_back(std::max(0.0, 1 - std::abs(human - model) / human));
  }
  return scores;
}

std::vector<double> accuracy_delta_halves(const std::vector<SubjectDelta>& subjects) {
  NumpyRandomState random(0);
  std::vector<double> out;
  for (int i = 0; i < kDraws; ++i) {
    const auto [half, rest] = draw_half(subjects, random);
    const double s = std::max(0.0, 1 - std::abs(half - rest) / rest);
    out.push_back(2 * s / (1 + s));
  }
  return out;
}

}  // namespace cortiscore
