#include "src/stimuli/image.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cortiscore/error.h"
#include "src/core/simd.h"

namespace cortiscore {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;
constexpr int32_t kHalf = 1 << (kPrecisionBits - 1);

// For every output position the first input pixel and the fixed-point weights of as many pixels as
// any needs.
struct Taps {
  int64_t count = 0;
  std::vector<int64_t> first;
  std::vector<int32_t> weights;  // [positions, count]
};

Taps bilinear_taps(int64_t in, int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(scale, 1.0);
  const double support = 1.0 * filter_scale;
  const auto center_of = [&](int64_t o) { return (static_cast<double>(o) + 0.5) * scale; };
  const auto first_of = [&](int64_t o) {
    return std::max<int64_t>(0, static_cast<int64_t>(center_of(o) - support + 0.5));
  };
  const auto last_of = [&](int64_t o) {
    return std::min<int64_t>(in, static_cast<int64_t>(center_of(o) + support + 0.5));
  };
  Taps taps;
  for (int64_t o = 0; o < out; ++o) taps.count = std::max(taps.count, last_of(o) - first_of(o));
  taps.weights.resize(static_cast<size_t>(out * taps.count));
  for (int64_t o = 0; o < out; ++o) {
    const int64_t first = first_of(o);
    std::vector<double> weights;
    double sum = 0;
    for (int64_t i = first; i < last_of(o); ++i) {
      const double distance =
          std::abs((static_cast<double>(i) - center_of(o) + 0.5) * (1.0 / filter_scale));
      weights.push_back(distance < 1.0 ? 1.0 - distance : 0.0);
      sum += weights.back();
    }
    // Weights of nothing fill up, before the others where they would lie outside of the image.
    const int64_t begin = std::min(first, in - taps.count);
    taps.first.push_back(begin);
    int32_t* fixed = taps.weights.data() + o * taps.count + (first - begin);
    for (const auto weight : weights) {
      const double normal = sum != 0 ? weight / sum : weight;
      *fixed++ = static_cast<int32_t>(0.5 + normal * (1 << kPrecisionBits));
    }
  }
  return taps;
}

CORTISCORE_INLINE uint8_t clip8(int32_t fixed) {
  const int32_t value = fixed >> kPrecisionBits;
  return static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

// A row of pixels through all taps: a pixel's channels, and the byte that follows them, at once.
// Reads and writes a byte beyond the last pixel.
CORTISCORE_SIMD void narrow_row(const uint8_t* __restrict row,
                                const int64_t* __restrict first,
                                const int32_t* __restrict weights,
                                int64_t count,
                                int64_t width,
                                uint8_t* __restrict target) {
  using Four = int32_t __attribute__((vector_size(16)));
  using Two = uint64_t __attribute__((vector_size(16)));
  for (int64_t x = 0; x < width; ++x) {
    Four sum = {kHalf, kHalf, kHalf, kHalf};
    const uint8_t* source = row + first[x] * 3;
    for (int64_t i = 0; i < count; ++i, source += 3) {
      int32_t pixel = 0;
      std::memcpy(&pixel, source, sizeof pixel);
      const Four bytes = ((Four{} + pixel) >> Four{0, 8, 16, 24}) & 255;
      sum += bytes * weights[x * count + i];
    }
    sum >>= kPrecisionBits;
    sum = sum < 0 ? 0 : sum;
    sum = sum > 255 ? 255 : sum;
    const Two halves = reinterpret_cast<Two>(sum);
    const uint64_t low = halves[0], high = halves[1];
    const auto narrow = static_cast<uint32_t>(low | low >> 24 | high << 16);
    std::memcpy(target + x * 3, &narrow, sizeof narrow);
  }
}

// Rows of an image, weighted and added.
CORTISCORE_SIMD void mix_rows(const uint8_t* __restrict rows,
                              const int32_t* __restrict weights,
                              int64_t count,
                              int64_t stride,
                              int32_t* __restrict sums,
                              uint8_t* __restrict target) {
  for (int64_t i = 0; i < stride; ++i) sums[i] = kHalf;
  for (int64_t r = 0; r < count; ++r) {
    const uint8_t* const row = rows + r * stride;
    const int32_t weight = weights[r];
    for (int64_t i = 0; i < stride; ++i) sums[i] += row[i] * weight;
  }
  for (int64_t i = 0; i < stride; ++i) target[i] = clip8(sums[i]);
}

Image horizontal(const Image& image, int64_t width) {
  const auto taps = bilinear_taps(image.width, width);
  Image out{image.height, width,
            std::vector<uint8_t>(static_cast<size_t>(image.height * width * 3))};
  const int64_t stride = image.width * 3;
  std::vector<uint8_t> from(static_cast<size_t>(stride + 1)),
      to(static_cast<size_t>(width * 3 + 1));
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* const row = image.pixels.data() + y * stride;
    std::copy(row, row + stride, from.begin());
    narrow_row(from.data(), taps.first.data(), taps.weights.data(), taps.count, width, to.data());
    std::copy(to.begin(), to.end() - 1, out.pixels.begin() + y * width * 3);
  }
  return out;
}

Image vertical(const Image& image, int64_t height) {
  const auto taps = bilinear_taps(image.height, height);
  const int64_t stride = image.width * 3;
  Image out{height, image.width, std::vector<uint8_t>(static_cast<size_t>(height * stride))};
  std::vector<int32_t> sums(static_cast<size_t>(stride));
  for (int64_t y = 0; y < height; ++y) {
    mix_rows(image.pixels.data() + taps.first[static_cast<size_t>(y)] * stride,
             taps.weights.data() + y * taps.count, taps.count, stride, sums.data(),
             out.pixels.data() + y * stride);
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
