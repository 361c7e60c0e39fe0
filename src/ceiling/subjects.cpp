#include "src/ceiling/subjects.h"

#include <algorithm>
#include <cstdint>

#include "src/core/random.h"
#include "src/metric/threshold.h"

namespace cortiscore {

std::vector<double> leave_one_out_thresholds(std::vector<double> subjects) {
  const size_t n = subjects.size();
  std::vector<double> out;
  for (size_t i = 0; i < n; ++i) {
    NumpyRandomState random(static_cast<uint32_t>(i));
    const double drawn =
        subjects[static_cast<size_t>(random.permutation(static_cast<int64_t>(n))[0])];
    subjects.erase(std::find(subjects.begin(), subjects.end(), drawn));
    double sum = 0;
    for (const auto score : threshold_scores(drawn, subjects)) sum += score;
    out.push_back(sum / static_cast<double>(subjects.size()));
    subjects.push_back(drawn);
  }
  return out;
}

}  // namespace cortiscore
