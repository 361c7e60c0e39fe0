#include "src/stimuli/image.h"

#include <algorithm>
#include <cmath>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;

// The taps of one output position: input pixels first..first+taps-1 and their fixed-point weights.
struct Taps {
  int64_t first;
  std::vector<int32_t> weights;
};

std::vector<Taps> bilinear_taps(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(scale, 1.0);
  const double support = 1.0 * filter_scale;
  std::vector<Taps> all;
  for (int64_t o = 0; o < out; ++o) {
    const double center = (static_cast<double>(o) + 0.5) * scale;
    const double inverse = 1.0 / filter_scale;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const auto last = std::min<int64_t>(in, static_cast<int64_t>(center + support + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (int64_t i = first; i < last; ++i) {
      const double distance = std::abs((static_cast<double>(i) - center + 0.5) * inverse);
      weights.push_back(distance < 1.0 ? 1.0 - distance : 0.0);
      sum += weights.back();
    }
    Taps taps{first, {}};
    for (const auto weight : weights) {
      const double normal = sum != 0 ? weight / sum : weight;
      taps.weights.push_back(static_cast<int32_t>(0.5 + normal * (1 << kPrecisionBits)));
    }
    all.push_back(std::move(taps));
  }
  return all;
}

uint8_t clip8(int32_t fixed) {
  return static_cast<uint8_t>(std::clamp(fixed >> kPrecisionBits, 0, 255));
}

Image horizontal(const Image& image, int64_t width) {
  const auto all = bilinear_taps(image.width, width);
  Image out{image.height, width,
            std::vector<uint8_t>(static_cast<size_t>(image.height * width * 3))};
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* row = image.pixels.data() + y * image.width * 3;
    uint8_t* target = out.pixels.data() + y * width * 3;
    for (const auto& taps : all) {
      int32_t sum[3] = {1 << (kPrecisionBits - 1), 1 << (kPrecisionBits - 1),
                        1 << (kPrecisionBits - 1)};
      const uint8_t* source = row + taps.first * 3;
      for (const auto weight : taps.weights) {
        for (int c = 0; c < 3; ++c) sum[c] += source[c] * weight;
        source += 3;
      }
      for (int c = 0; c < 3; ++c) *target++ = clip8(sum[c]);
    }
  }
  return out;
}

Image vertical(const Image& image, int64_t height) {
  const auto all = bilinear_taps(image.height, height);
  const int64_t stride = image.width * 3;
  Image out{height, image.width, std::vector<uint8_t>(static_cast<size_t>(height * stride))};
  std::vector<int32_t> sums(static_cast<size_t>(stride));
  for (int64_t y = 0; y < height; ++y) {
    const auto& taps = all[static_cast<size_t>(y)];
    std::fill(sums.begin(), sums.end(), 1 << (kPrecisionBits - 1));
    const uint8_t* source = image.pixels.data() + taps.first * stride;
    for (const auto weight : taps.weights) {
      for (int64_t i = 0; i < stride; ++i) sums[static_cast<size_t>(i)] += source[i] * weight;
      source += stride;
    }
    uint8_t* target = out.pixels.data() + y * stride;
    for (int64_t i = 0; i < stride; ++i) target[i] = clip8(sums[static_cast<size_t>(i)]);
  }
  return out;
}

}  // namespace

Image resize_bilinear(const Image& image, int64_t height, int64_t width) {
  if (image.width == width && image.height == height) return image;
  if (image.width == width) return vertical(image, height);
  const auto narrowed = horizontal(image, width);
  return image.height == height ? narrowed : vertical(narrowed, height);
}

Image place_on_screen(const Image& image, double target_degrees, double source_degrees) {
  if (target_degrees == source_degrees) return image;
  const double ratio = target_degrees / source_degrees;
  // Python's round: half to even, as std::nearbyint in the default rounding mode.
  const auto width = static_cast<int64_t>(std::nearbyint(static_cast<double>(image.width) * ratio));
  const auto height =
      static_cast<int64_t>(std::nearbyint(static_cast<double>(image.height) * ratio));
  if (width < 1 || height < 1) {
    throw Error(ErrorKind::kBadInput, "placing a stimulus of " + std::to_string(source_degrees) +
                                          " degrees on a screen of " +
                                          std::to_string(target_degrees) +
                                          " degrees leaves no pixel.");
  }
  Image screen{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3), 128)};
  const auto offset = [](int64_t outer, int64_t inner) {
    return static_cast<int64_t>(std::nearbyint(static_cast<double>(outer - inner) / 2));
  };
  const int64_t left = offset(width, image.width);
  const int64_t top = offset(height, image.height);
  for (int64_t y = std::max<int64_t>(0, top); y < std::min(height, top + image.height); ++y) {
    for (int64_t x = std::max<int64_t>(0, left); x < std::min(width, left + image.width); ++x) {
      const auto* source = image.pixels.data() + ((y - top) * image.width + (x - left)) * 3;
      std::copy(source, source + 3, screen.pixels.data() + (y * width + x) * 3);
    }
  }
  return screen;
}

}  // namespace cortiscore
