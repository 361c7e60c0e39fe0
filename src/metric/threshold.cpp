#include "src/metric/threshold.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <numbers>

#include <ATen/ATen.h>

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLeastLapse = 0.03;
constexpr double kMostLapse = 0.5;
using Vector3 = std::array<double, 3>;

double phi(double z) {
  return 0.5 * std::erfc(-z / std::numbers::sqrt2);
}

double density(double z) {
  return std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi);
}

double curve(const Vector3& p, double x) {
  return 0.5 + (0.5 - p[2]) * phi(p[0] * (x - p[1]));
}

double negative_log_likelihood(const Vector3& p,
                               const std::vector<double>& x,
                               const std::vector<double>& y) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double q = curve(p, x[i]);
    sum -= y[i] * std::log(q) + (1 - y[i]) * std::log(1 - q);
  }
  return sum;
}

// Solves A s = -g over the first n unknowns, A symmetric positive definite; false where it is not.
bool solve(std::array<Vector3, 3> a, const Vector3& g, size_t n, Vector3& s) {
  Vector3 b{};
  for (size_t i = 0; i < n; ++i) b[i] = -g[i];
  for (size_t i = 0; i < n; ++i) {
    if (!(a[i][i] > 0)) return false;
    for (size_t j = i + 1; j < n; ++j) {
      const double f = a[j][i] / a[i][i];
      for (size_t k = i; k < n; ++k) a[j][k] -= f * a[i][k];
      b[j] -= f * b[i];
    }
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) b[i] -= a[i][k] * s[k];
    s[i] = b[i] / a[i][i];
  }
  return true;
}

// Fisher scoring with Levenberg's damping on (alpha, beta, lambda); lambda stays on a bound while
// the gradient pushes against it.
Vector3 minimise(Vector3 p, const std::vector<double>& x, const std::vector<double>& y) {
  double value = negative_log_likelihood(p, x, y);
  double damping = 1e-3;
  for (int iteration = 0; iteration < 300 && damping < 1e12; ++iteration) {
    std::array<Vector3, 3> a{};
    Vector3 g{};
    for (size_t i = 0; i < x.size(); ++i) {
      const double z = p[0] * (x[i] - p[1]);
      const double q = curve(p, x[i]);
      const double weight = 1 / (q * (1 - q));
      const double e = (q - y[i]) * weight;
      const double slope = (0.5 - p[2]) * density(z);
      const Vector3 j = {slope * (x[i] - p[1]), -slope * p[0], -phi(z)};
      for (size_t r = 0; r < 3; ++r) {
        g[r] += j[r] * e;
        for (size_t c = 0; c < 3; ++c) a[r][c] += j[r] * j[c] * weight;
      }
    }
    const bool bound = (p[2] <= kLeastLapse && g[2] > 0) || (p[2] >= kMostLapse && g[2] < 0);
    const size_t n = bound ? 2 : 3;
    bool moved = false;
    double step_size = 0;
    while (damping < 1e12) {
      auto damped = a;
      for (size_t r = 0; r < n; ++r) damped[r][r] += damping * std::max(a[r][r], 1e-12);
      Vector3 step{};
      if (solve(damped, g, n, step)) {
        Vector3 next = {p[0] + step[0], p[1] + step[1],
                        std::clamp(p[2] + step[2], kLeastLapse, kMostLapse)};
        const double next_value = negative_log_likelihood(next, x, y);
        if (next_value <= value) {
          step_size = 0;
          for (size_t r = 0; r < 3; ++r)
            step_size = std::max(step_size, std::abs(next[r] - p[r]) / (1 + std::abs(p[r])));
          p = next;
          value = next_value;
          damping = std::max(damping / 10, 1e-14);
          moved = true;
          break;
        }
      }
      damping *= 10;
    }
    if (!moved || step_size < 1e-14) break;
  }
  return p;
}

}  // namespace

double PsychometricFit::threshold(double accuracy) const {
  const double share = (accuracy - 0.5) / (0.5 - lambda);
  if (!(share > 0 && share < 1)) return kNaN;
  const auto z = at::special_ndtri(at::scalar_tensor(share, at::kDouble));
  return beta + z.const_data_ptr<double>()[0] / alpha;
}

PsychometricFit fit_psychometric(const std::vector<double>& x, const std::vector<double>& y) {
  const double top = *std::max_element(y.begin(), y.end());
  const double lapse = std::clamp(1 - top, kLeastLapse, kMostLapse);
  Vector3 best{kNaN, kNaN, kNaN};
  double least = std::numeric_limits<double>::infinity();
  constexpr int kSlopes = 50;
  for (int i = 0; i < kSlopes; ++i) {
    const double alpha = std::pow(10.0, -3 + 4.0 * i / (kSlopes - 1));
    for (const double beta : x) {
      const auto p = minimise({alpha, beta, lapse}, x, y);
      const double value = negative_log_likelihood(p, x, y);
      if (value < least) least = value, best = p;
    }
  }
  double mean = 0, total = 0, left = 0;
  for (const auto v : y) mean += v / static_cast<double>(y.size());
  for (size_t i = 0; i < y.size(); ++i) {
    total += (y[i] - mean) * (y[i] - mean);
    left += (y[i] - curve(best, x[i])) * (y[i] - curve(best, x[i]));
  }
  return {best[0], best[1], best[2], total > 0 ? 1 - left / total : kNaN};
}

AccuracyCurve accuracy_by(const std::vector<double>& x, const std::vector<bool>& correct) {
  std::map<double, std::pair<double, double>> sums;
  for (size_t i = 0; i < x.size(); ++i) {
    sums[x[i]].first += correct[i] ? 1 : 0;
    sums[x[i]].second += 1;
  }
  AccuracyCurve curve;
  for (const auto& [at, sum] : sums) {
    curve.x.push_back(at);
    curve.accuracy.push_back(sum.first / sum.second);
  }
  return curve;
}

double model_threshold(const AccuracyCurve& curve, double mean_accuracy, double accuracy) {
  if (mean_accuracy < 0.6 || curve.x.size() < 3) return 0;
  auto x = curve.x;
  auto y = curve.accuracy;
  const auto top = std::max_element(y.begin(), y.end());
  double mean = 0, square = 0;
  for (const auto v : y) mean += v / static_cast<double>(y.size());
  for (const auto v : y) square += (v - mean) * (v - mean) / static_cast<double>(y.size());
  const double limit = *top - std::sqrt(square);
  for (auto cut = top + 1; cut < y.end(); ++cut) {
    if (!std::all_of(cut, y.end(), [&](double v) { return v <= limit; })) continue;
    const auto left = static_cast<size_t>(cut - y.begin());
    if (3 * left < y.size()) return 0;  // too little is left to fit
    y.resize(left);
    x.resize(left);
    break;
  }
  const auto fit = fit_psychometric(x, y);
  const double found = fit.threshold(accuracy);
  if (!(fit.r_squared >= 0.4) || !(found <= x.back())) return 0;
  return found;
}

double threshold_elevation(double threshold, double baseline) {
  return baseline > 0 ? threshold / baseline : std::nan("");
}

double model_elevation(double threshold, double baseline) {
  return baseline > 0 ? threshold / baseline : 0;
}

std::vector<double> threshold_scores(double model, const std::vector<double>& subjects) {
  std::vector<double> scores;
  for (const auto t : subjects) scores.push_back(std::max(0.0, 1 - std::abs(t - model) / t));
  return scores;
}

}  // namespace cortiscore
