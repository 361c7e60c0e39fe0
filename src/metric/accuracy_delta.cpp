#include "src/metric/accuracy_delta.h"

#include <ATen/ATen.h>

#include "src/core/random.h"

namespace cortiscore {
namespace {

constexpr int64_t kDraws = 100;

// Over the subjects whose loss is known.
at::Tensor mean_of(const at::Tensor& subjects, const at::Tensor& members) {
  const auto known = subjects.isnan().logical_not().to(at::kDouble);
  return at::mm(at::nan_to_num(subjects), members.t()) / at::mm(known, members.t());
}

at::Tensor closeness(const at::Tensor& value, const at::Tensor& reference) {
  return at::nan_to_num(1 - (reference - value).abs() / reference, 0.0).clamp_min(0);
}

}  // namespace

at::Tensor drawn_subjects(const std::vector<int64_t>& numbers, bool one_state) {
  const auto n = static_cast<int64_t>(numbers.size());
  auto drawn = at::zeros({kDraws, n}, at::kDouble);
  NumpyRandomState state(0);
  for (int64_t i = 0; i < kDraws; ++i) {
    if (!one_state) state = NumpyRandomState(static_cast<uint32_t>(i));
    // Choice without replacement takes the first of a permutation.
    const auto order = state.permutation(n - 1);
    for (int64_t k = 0; k < n / 2; ++k) {
      for (int64_t s = 0; s < n; ++s) {
        if (numbers[static_cast<size_t>(s)] == order[static_cast<size_t>(k)] + 1)
          drawn.mutable_data_ptr<double>()[i * n + s] = 1;
      }
    }
  }
  return drawn;
}

at::Tensor accuracy_delta_scores(const at::Tensor& model,
                                 const at::Tensor& subjects,
                                 const at::Tensor& drawn) {
  return closeness(model.unsqueeze(1), mean_of(subjects, drawn));
}

at::Tensor accuracy_delta_halves(const at::Tensor& subjects, const at::Tensor& drawn) {
  const auto s = closeness(mean_of(subjects, drawn), mean_of(subjects, 1 - drawn));
  return 2 * s / (1 + s);
}

}  // namespace cortiscore
