#include "src/metric/tuning.h"

#include <cmath>
#include <limits>
#include <numbers>

#include <ATen/ATen.h>

namespace cortiscore {
namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN();

at::Tensor on(const at::Tensor& matrix, const at::Tensor& like) {
  return matrix.to(like.device());
}

// numpy.convolve(values, weights, "same") with (0, w, 1, w, 0) / (1 + 2 w), as a matrix.
at::Tensor smoothing_matrix(int64_t n, double neighbour) {
  auto matrix = at::eye(n, at::kDouble);
  if (n > 1) {
    matrix.diagonal(1).fill_(neighbour);
    matrix.diagonal(-1).fill_(neighbour);
  }
  return matrix / (1 + 2 * neighbour);
}

// |sum over the last dimension of values exp(i angle)|.
at::Tensor resultant(const at::Tensor& values, const at::Tensor& angle) {
  const auto real = at::matmul(values, angle.cos()), imaginary = at::matmul(values, angle.sin());
  return (real.square() + imaginary.square()).sqrt();
}

// The last index before `centre`, and the first one after it, at which a flag stands: -1 and n
// where there is none.
std::pair<at::Tensor, at::Tensor> nearest(const at::Tensor& flags, const at::Tensor& centre) {
  const int64_t n = flags.size(1);
  const auto index = at::arange(n, centre.options()).unsqueeze(0);
  const auto at_centre = centre.unsqueeze(1);
  const auto before = at::where(flags & (index < at_centre), index, -1).amax(1);
  const auto after = at::where(flags & (index > at_centre), index, n).amin(1);
  return {before, after};
}

at::Tensor first_where(const at::Tensor& flags) {  // the number of columns where none is
  const auto index = at::arange(flags.size(1), flags.options().dtype(at::kLong)).unsqueeze(0);
  return at::where(flags, index, flags.size(1)).amin(1);
}

// values[index], NaN for an index beyond the end.
at::Tensor value_at(const at::Tensor& values, const at::Tensor& index) {
  return at::cat({values, at::full({1}, kNaN, values.options())}).index_select(0, index);
}

}  // namespace

Harmonics harmonics(const at::Tensor& responses) {
  const int64_t n = responses.size(-1);
  const auto angle =
      at::arange(n, responses.options()) * (2 * std::numbers::pi / static_cast<double>(n));
  return {responses.mean(-1), 2 * resultant(responses, angle) / static_cast<double>(n)};
}

at::Tensor circular_variance(const at::Tensor& curves, const std::vector<double>& degrees) {
  const auto angle = at::tensor(degrees, curves.options()) * (std::numbers::pi / 90);
  return 1 - resultant(curves, angle) / curves.abs().sum(1);
}

at::Tensor spline_matrix(const std::vector<double>& from, const std::vector<double>& to) {
  const auto n = static_cast<int64_t>(from.size());
  TORCH_CHECK_VALUE(n >= 4, "a cubic spline needs 4 points, got ", n);
  // Second derivatives m solve `system` m = `sides` y: continuous slopes within, equal third
  // derivatives across the second point and the last but one.
  auto system = at::zeros({n, n}, at::kDouble), sides = at::zeros({n, n}, at::kDouble);
  auto a = system.accessor<double, 2>(), b = sides.accessor<double, 2>();
  const auto gap = [&](int64_t i) {
    return from[static_cast<size_t>(i + 1)] - from[static_cast<size_t>(i)];
  };
  for (int64_t i = 1; i + 1 < n; ++i) {
    const double h = gap(i - 1), k = gap(i);
    a[i][i - 1] = h / 6;
    a[i][i] = (h + k) / 3;
    a[i][i + 1] = k / 6;
    b[i][i - 1] = 1 / h;
    b[i][i] = -1 / h - 1 / k;
    b[i][i + 1] = 1 / k;
  }
  for (const auto& [row, at_point] : {std::pair<int64_t, int64_t>{0, 1}, {n - 1, n - 2}}) {
    const double h = gap(at_point - 1), k = gap(at_point);
    a[row][at_point - 1] = 1 / h;
    a[row][at_point] = -1 / h - 1 / k;
    a[row][at_point + 1] = 1 / k;
  }
  const auto curvature = at::linalg_solve(system, sides);  // [n, n]: of y
  auto value = at::zeros({static_cast<int64_t>(to.size()), n}, at::kDouble);
  auto bend = at::zeros_like(value);
  auto v = value.accessor<double, 2>(), c = bend.accessor<double, 2>();
  for (size_t t = 0; t < to.size(); ++t) {
    int64_t i = 0;
    while (i + 2 < n && to[t] >= from[static_cast<size_t>(i + 1)]) ++i;
    const double h = gap(i), right = (to[t] - from[static_cast<size_t>(i)]) / h, left = 1 - right;
    const auto row = static_cast<int64_t>(t);
    v[row][i] = left;
    v[row][i + 1] = right;
    c[row][i] = (left * left * left - left) * h * h / 6;
    c[row][i + 1] = (right * right * right - right) * h * h / 6;
  }
  return value + at::mm(bend, curvature);
}

OrientationTuning orientation_tuning(const at::Tensor& curves,
                                     const std::vector<double>& degrees,
                                     const BandwidthRule& rule) {
  // The curve three times in a row, smoothed, interpolated at whole degrees from -180 to 359.
  const auto n = static_cast<int64_t>(degrees.size());
  std::vector<double> from, to;
  for (const int turn : {-180, 0, 180}) {
    for (const auto degree : degrees) from.push_back(degree + turn);
  }
  for (int degree = -180; degree < 360; ++degree) to.push_back(degree);
  const auto whole = at::mm(spline_matrix(from, to), smoothing_matrix(3 * n, rule.neighbour));
  const auto folded = whole.view({-1, 3, n}).sum(1);  // the same curve thrice
  const auto values = at::mm(curves, on(folded, curves).t());
  constexpr int64_t kZero = 180;  // place of 0 degrees
  const auto preferred = values.narrow(1, kZero, 180).argmax(1);
  const auto peak = values.gather(1, (preferred + kZero).unsqueeze(1));
  const auto [before, after] = nearest(values <= rule.threshold * peak, preferred + kZero);
  auto width = (after - before).to(at::kDouble);
  width = at::where((before >= 0) & (after < values.size(1)) & (width <= 180), width, kNaN);
  return {preferred.to(at::kDouble), rule.half ? width / 2 : width};
}

at::Tensor orthogonal_ratio(const at::Tensor& curves) {
  const auto best = curves.argmax(1, true);
  const auto across = at::remainder(best + curves.size(1) / 2, curves.size(1));
  return (curves.gather(1, across) / curves.gather(1, best)).squeeze(1);
}

FrequencyTuning frequency_tuning(const at::Tensor& curves, const std::vector<double>& frequencies) {
  constexpr int64_t kSamples = 100;
  const auto n = static_cast<int64_t>(frequencies.size());
  std::vector<double> from, to;
  for (const auto frequency : frequencies) from.push_back(std::log2(frequency));
  for (int64_t i = 0; i < kSamples; ++i)
    to.push_back(from.front() +
                 (from.back() - from.front()) * static_cast<double>(i) / (kSamples - 1));
  // The ends stand twice more before smoothing.
  auto ends = at::zeros({n + 4, n}, at::kDouble);
  ends.narrow(0, 2, n).copy_(at::eye(n, at::kDouble));
  for (const int64_t i : {0, 1}) {
    ends[i][0] = 1;
    ends[n + 2 + i][n - 1] = 1;
  }
  const auto smoothed = at::mm(smoothing_matrix(n + 4, 0.2), ends).narrow(0, 2, n);
  const auto values = at::mm(curves, on(at::mm(spline_matrix(from, to), smoothed), curves).t());
  const auto best = values.argmax(1);
  const auto peak = values.gather(1, best.unsqueeze(1));
  const auto [low, high] = nearest(values <= 0.707 * peak, best);
  const auto frequency = at::tensor(to, curves.options()).exp2();
  const auto beyond = at::full_like(low, kSamples);
  return {frequency.index_select(0, best),
          100 * value_at(frequency, at::where(low < 0, beyond, low)) / value_at(frequency, high)};
}

SizeTuning size_tuning(const at::Tensor& curves, const std::vector<double>& radii) {
  const auto radius = at::tensor(radii, curves.options());
  const auto peak = curves.amax(1), plateau = curves.select(1, curves.size(1) - 1);
  const auto index = at::where(peak > 0, (peak - plateau) / peak, kNaN);
  const auto suppressed = (peak > 0) & (index > 0.1);
  const auto preferred = first_where(curves >= 0.95 * peak.unsqueeze(1));
  const auto place = at::arange(curves.size(1), preferred.options()).unsqueeze(0);
  const auto surround = first_where((place > preferred.unsqueeze(1)) &
                                    (curves <= (plateau + 0.05 * plateau.abs()).unsqueeze(1)));
  return {index, at::where(suppressed, 2 * value_at(radius, preferred), kNaN),
          at::where(suppressed, 2 * value_at(radius, surround), kNaN)};
}

TextureTuning texture_tuning(const at::Tensor& texture,
                             const at::Tensor& noise,
                             const at::Tensor& baseline) {
  const auto a = static_cast<double>(texture.size(1)), b = static_cast<double>(texture.size(2));
  const auto family = texture.mean(2);
  const auto of_noise = noise.mean(2);
  const auto index = (family - of_noise) / (family + of_noise);
  const auto concentration = [](const at::Tensor& r) {
    const auto n = static_cast<double>(r.size(1));
    return (1 - r.mean(1).square() / r.square().mean(1)) / (1 - 1 / n);
  };
  const auto rate = texture / 10;
  const auto x = rate.sqrt() + (rate + 1).sqrt();  // stabilises the variance of counts
  const auto mean = x.mean(2);
  const auto within = (x - mean.unsqueeze(2)).square().sum(2).sum(1) / (a * (b - 1));
  const auto between = b * (mean - mean.mean(1, true)).square().sum(1) / (a - 1);
  const auto of_family = (between - within) / b;
  const auto total = of_family + within;
  return {index.nanmean(1),
          index.abs().nanmean(1),
          concentration(family),
          concentration(texture.flatten(1)),
          (of_family / total + 0.02) / (within / total + 0.02),
          texture.flatten(1).amax(1) - baseline,
          noise.flatten(1).amax(1) - baseline};
}

at::Tensor FiringRate::operator()(const at::Tensor& activations) const {
  return (slope * activations.to(at::kDouble).clamp_min(0) + offset).clamp_min(0);
}

FiringRate firing_rate(const at::Tensor& peak, const at::Tensor& blank) {
  // Macaque V1: median maximum and spontaneous rate, the highest maximum of one neuroid, and what
  // counts as a response.
  constexpr double kMaximum = 33.8, kSpontaneous = 0.82, kHighest = 243.1, kResponse = 5;
  const auto rise = peak - blank;
  const auto responsive = (rise > kResponse / kHighest * rise.amax()).nonzero().squeeze(1);
  if (responsive.size(0) == 0)
    return {at::full({}, kNaN, rise.options()), at::full({}, kNaN, rise.options())};
  // numpy.median: the mean of the middle two of an even number.
  const auto median = [&](const at::Tensor& values) {
    return at::quantile(values.index_select(0, responsive), 0.5);
  };
  const auto slope = (kMaximum - kSpontaneous) / (median(peak) - median(blank));
  return {slope, kSpontaneous - slope * median(blank)};
}

at::Tensor receptive_field_centres(const at::Tensor& maps,
                                   const at::Tensor& blank,
                                   const std::vector<double>& y,
                                   const std::vector<double>& x) {
  const auto response = (maps.to(at::kDouble) - blank.to(at::kDouble)).clamp_min(0);
  const auto highest = response.amax(at::IntArrayRef{0, 1}, true);
  const auto weight = at::where(response > 0.05 * highest, response, 0.0);
  const auto total = weight.sum(at::IntArrayRef{0, 1});
  const auto centre = [&](const std::vector<double>& places, int64_t other) {
    const auto degrees = at::tensor(places, weight.options());
    const int64_t n = degrees.size(0);
    const auto place = at::matmul(at::arange(n, weight.options()), weight.sum(other)) / total;
    const auto low =
        at::nan_to_num(place).floor().clamp(0, static_cast<double>(std::max<int64_t>(n - 2, 0)));
    const auto at_low = degrees.index_select(0, low.to(at::kLong));
    const auto at_high =
        degrees.index_select(0, (low + 1).clamp_max(static_cast<double>(n - 1)).to(at::kLong));
    return at_low + (at_high - at_low) * (place - low);
  };
  return at::stack({centre(y, 1), centre(x, 0)}, 1);
}

}  // namespace cortiscore
