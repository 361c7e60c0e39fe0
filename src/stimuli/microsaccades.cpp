#include "src/stimuli/microsaccades.h"

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

namespace cortiscore {
namespace {

// Where along an axis a moved image takes its pixels from: the first of two neighbours, and the
// second's share.
struct Source {
  int64_t offset;
  double share;
};

Source source_of(double shift) {
  constexpr double kFine = 1024, kSteps = 32;  // OpenCV's AB_SCALE and INTER_TAB_SIZE
  const double steps =
      std::floor((std::nearbyint(-shift * kFine) + kFine / kSteps / 2) / (kFine / kSteps));
  const double offset = std::floor(steps / kSteps);
  return {static_cast<int64_t>(offset), steps / kSteps - offset};
}

at::Tensor along(const at::Tensor& image, int64_t dim, const Source& source) {
  const int64_t n = image.size(dim);
  const auto taken = [&](int64_t offset) {
    const auto places = (at::arange(n, at::device(image.device()).dtype(at::kLong)) + offset);
    return image.index_select(dim, places.clamp(0, n - 1));
  };
  auto first = taken(source.offset);
  if (source.share == 0) return first;
  return first * (1 - source.share) + taken(source.offset + 1) * source.share;
}

}  // namespace

std::vector<std::pair<double, double>> microsaccades(int64_t n, double extent_px) {
  std::vector<std::pair<double, double>> points;
  for (int64_t i = 0; i < n; ++i) {
    const double root = std::sqrt(static_cast<double>(i) / static_cast<double>(n));
    const double radius = root * extent_px, angle = 2 * std::numbers::pi * root;
    points.emplace_back(radius * std::cos(angle), radius * std::sin(angle));
  }
  return points;
}

at::Tensor moved(const at::Tensor& images, const std::vector<std::pair<double, double>>& shifts) {
  std::vector<at::Tensor> out;
  for (size_t i = 0; i < shifts.size(); ++i) {
    const auto image = images.select(0, static_cast<int64_t>(i));
    out.push_back(
        along(along(image, 2, source_of(shifts[i].first)), 1, source_of(shifts[i].second)));
  }
  return at::stack(out);
}

}  // namespace cortiscore
