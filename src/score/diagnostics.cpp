#include "src/score/diagnostics.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

// Beyond what float32 holds; fourth powers of it, which eigenvalues of products of responses are, stay within float64.
constexpr double kLargest = 1e40;

// The first place that is not finite or too large, for a message: only asked for once something is known to be wrong.
std::string first_bad_place(const at::Tensor& values, const std::string& column) {
  const auto place = (values.abs() <= kLargest).logical_not().nonzero()[0];
  const auto at_ = place.to(at::kCPU);
  return "presentation " + std::to_string(at_.const_data_ptr<int64_t>()[0]) + ", " + column + " " +
         std::to_string(at_.const_data_ptr<int64_t>()[1]);
}

}  // namespace

void check_finite(const at::Tensor& values,
                  const std::string& where,
                  const std::string& column,
                  const std::string& action) {
  // A block of rows at a time: asked of all at once, the answer takes more room than the values.
  const int64_t per_row = values.numel() / std::max<int64_t>(1, values.size(0));
  const int64_t rows = std::max<int64_t>(1, (int64_t{16} << 20) / std::max<int64_t>(1, per_row));
  auto largest = at::zeros({}, values.options());
  for (int64_t begin = 0; values.numel() > 0 && begin < values.size(0); begin += rows) {
    const auto [low, high] =
        at::aminmax(values.narrow(0, begin, std::min(rows, values.size(0) - begin)));
    largest = at::maximum(largest, at::maximum(-low, high));  // NaN stays
  }
  const auto found = largest.item<double>();
  if (found <= kLargest) return;
  throw bad_input({where, first_bad_place(values, column),
                   std::isfinite(found) ? "a magnitude over 1e40" : "NaN or infinity",
                   std::isfinite(found) ? "less: fourth powers of it overflow" : "finite numbers",
                   action});
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
  return {
      std::to_string(estimate.n_undefined) +
      " neuroid(s) have no correlation, constant or predicted as a constant, and are skipped: " +
      names + (named > 10 ? ", ..." : "")};
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
