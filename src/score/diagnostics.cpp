#include "src/score/diagnostics.h"

#include <ATen/ATen.h>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

// The first place that is not finite, for a message: only asked for once something is known to be wrong.
std::string first_bad_place(const at::Tensor& values, const std::string& column) {
  const auto place = values.isfinite().logical_not().nonzero()[0];
  const auto at_ = place.to(at::kCPU);
  return "presentation " + std::to_string(at_.const_data_ptr<int64_t>()[0]) + ", " + column + " " +
         std::to_string(at_.const_data_ptr<int64_t>()[1]);
}

}  // namespace

void check_finite(const at::Tensor& values,
                  const std::string& where,
                  const std::string& column,
                  const std::string& action) {
  if (values.isfinite().all().is_nonzero()) return;
  throw bad_input(
      {where, first_bad_place(values, column), "NaN or infinity", "finite numbers", action});
}

std::vector<std::string> undefined_warnings(const Estimate& estimate,
                                            const std::vector<std::string>& neuroid_ids) {
  if (estimate.n_undefined == 0) return {};
  const auto undefined = estimate.per_neuroid.isnan().all(0);
  std::string names;
  int64_t named = 0;
  for (int64_t i = 0; i < undefined.numel(); ++i) {
    if (!undefined.const_data_ptr<bool>()[i]) continue;
    if (++named > 10) continue;
    names += (names.empty() ? "" : ", ") +
             (neuroid_ids.empty() ? std::to_string(i) : neuroid_ids[static_cast<size_t>(i)]);
  }
  return {std::to_string(estimate.n_undefined) +
          " constant neuroid(s) have no correlation and are skipped: " + names +
          (named > 10 ? ", ..." : "")};
}

std::vector<std::string> warnings_of(const Predictivity& predictivity,
                                     const Estimate& estimate,
                                     const std::vector<std::string>& neuroid_ids) {
  auto warnings = undefined_warnings(estimate, neuroid_ids);
  const auto count = [](const at::Tensor& flags) {
    return flags.sum().to(at::kCPU).const_data_ptr<int64_t>()[0];
  };
  if (predictivity.alpha_at_end.defined()) {
    if (const auto n = count(predictivity.alpha_at_end)) {
      warnings.push_back(
          std::to_string(n) +
          " split(s) chose a penalty at an end of the list: the best may lie beyond it");
    }
  }
  if (!predictivity.iterations.defined()) return warnings;
  if (const auto n = count(predictivity.iterations >= predictivity.max_iter)) {
    warnings.push_back(std::to_string(n) + " PLS component(s) stopped at the cap of " +
                       std::to_string(predictivity.max_iter) + " iterations, as in scikit-learn");
  }
  if (const auto n = count(predictivity.marginal)) {
    warnings.push_back(std::to_string(n) +
                       " PLS component(s) stopped within rounding of the tolerance: another "
                       "machine may stop one iteration apart");
  }
  if (const auto n = count(predictivity.exhausted)) {
    warnings.push_back(std::to_string(n) +
                       " PLS component(s) had nothing left to explain and add nothing");
  }
  return warnings;
}

}  // namespace cortiscore
