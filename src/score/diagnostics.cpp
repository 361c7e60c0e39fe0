#include "src/score/diagnostics.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/ceiling/internal_consistency.h"

namespace cortiscore {
namespace {

// Beyond what float32 holds; fourth powers of it, which eigenvalues of products of responses are,
// stay within float64.
constexpr double kLargest = 1e40;

// The first place that is not finite or too large, for a message: only asked for once something is
// known to be wrong.
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

std::string first_of(const std::vector<std::string>& names) {
  constexpr size_t kMost = 10;
  std::string text;
  for (size_t i = 0; i < std::min(kMost, names.size()); ++i) text += (i ? ", " : "") + names[i];
  return text + (names.size() > kMost ? ", ..." : "");
}

std::vector<std::string> left_out(size_t total,
                                  const std::string& what,
                                  const std::string& why,
                                  const std::vector<std::string>& names) {
  if (names.empty()) return {};
  return {std::to_string(names.size()) + " of " + std::to_string(total) + " " + what + " " + why +
          ": " + first_of(names)};
}

std::vector<std::string> left_out(int64_t n, int64_t total, const std::string& what) {
  if (n == 0) return {};
  return {std::to_string(n) + " of " + std::to_string(total) + " " + what};
}

std::vector<std::string> undefined_warnings(const Estimate& estimate,
                                            const std::vector<std::string>& neuroid_ids) {
  const auto missing = estimate.per_neuroid.isnan();
  if (!missing.any().item<bool>()) return {};
  const auto name = [&](int64_t i) {
    return neuroid_ids.empty() ? std::to_string(i) : neuroid_ids[static_cast<size_t>(i)];
  };
  const auto always = missing.all(0), sometimes = missing.any(0);
  std::vector<std::string> nowhere, somewhere;
  for (int64_t i = 0; i < always.numel(); ++i) {
    if (always.const_data_ptr<bool>()[i])
      nowhere.push_back(name(i));
    else if (sometimes.const_data_ptr<bool>()[i])
      somewhere.push_back(name(i));
  }
  std::vector<std::string> warnings;
  if (!nowhere.empty()) {
    warnings.push_back(
        std::to_string(nowhere.size()) +
        " neuroid(s) have no correlation, constant or predicted as a constant, and are skipped: " +
        first_of(nowhere));
  }
  if (!somewhere.empty()) {
    warnings.push_back(std::to_string(somewhere.size()) +
                       " neuroid(s) have no correlation in some splits, constant or predicted as a "
                       "constant there, and are skipped in those: " +
                       first_of(somewhere));
  }
  const auto splits = missing.all(1).sum().item<int64_t>();
  if (splits > 0) {
    warnings.push_back(std::to_string(splits) + " of " +
                       std::to_string(estimate.per_neuroid.size(0)) +
                       " splits have no value and are left out of the mean");
  }
  return warnings;
}

std::vector<std::string> with_reason(std::vector<std::string> warnings, double value) {
  if (std::isnan(value) && warnings.empty())
    warnings.emplace_back("no value: what is compared is constant, or too little of it is there");
  return warnings;
}

std::vector<std::string> few_trials(const at::Tensor& trials) {
  return left_out(count_unrepeated(trials).item<int64_t>(), trials.size(1) * trials.size(2),
                  "presentations x neuroids have fewer than two trials and are left out");
}

std::vector<std::string> lone_warnings(const Estimate& estimate) {
  const auto defined = estimate.per_neuroid.size(1) - estimate.n_undefined;
  if (defined > 1 || std::isnan(estimate.value)) return {};
  return {"no interval over neuroid: fewer than two have a value, so there is nothing to draw"};
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
