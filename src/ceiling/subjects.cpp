#include "src/ceiling/subjects.h"

#include <algorithm>
#include <cmath>

#include "src/core/random.h"
#include "src/metric/threshold.h"

namespace cortiscore {

std::vector<double> accuracy_delta_halves(const std::vector<double>& subjects) {
  constexpr int kHalves = 100;
  const size_t half = subjects.size() / 2;
  NumpyRandomState random(0);
  std::vector<double> out;
  for (int i = 0; i < kHalves; ++i) {
    const auto order = random.permutation(static_cast<int64_t>(subjects.size()));
    double first = 0, rest = 0;
    for (size_t j = 0; j < order.size(); ++j)
      (j < half ? first : rest) += subjects[static_cast<size_t>(order[j])];
    first /= static_cast<double>(half);
    rest /= static_cast<double>(subjects.size() - half);
    const double s = std::max(0.0, 1 - std::abs(first - rest) / first);
    out.push_back(2 * s / (1 + s));
  }
  return out;
}

std::vector<double> leave_one_out_thresholds(const std::vector<double>& subjects) {
  std::vector<double> out;
  for (size_t i = 0; i < subjects.size(); ++i) {
    auto others = subjects;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    double sum = 0;
    for (const auto score : threshold_scores(subjects[i], others)) sum += score;
    out.push_back(sum / static_cast<double>(others.size()));
  }
  return out;
}

}  // namespace cortiscore
