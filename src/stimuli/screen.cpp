#include "src/stimuli/screen.h"

#include <algorithm>
#include <array>

#include <ATen/ATen.h>

#include "src/stimuli/image.h"

namespace cortiscore {
namespace {

// The float of each of the 256 values of a channel: value / 255, then (unit - mean) / std, each rounded to float32 as
// torchvision's ToTensor and Normalize round them.
std::array<std::array<float, 256>, 3> normalised_values(const std::vector<double>& means,
                                                        const std::vector<double>& deviations) {
  std::array<std::array<float, 256>, 3> values{};
  const bool normalise = !means.empty();
  for (size_t c = 0; c < 3; ++c) {
    const auto mean = normalise ? static_cast<float>(means[c]) : 0.0F;
    const auto deviation = normalise ? static_cast<float>(deviations[c]) : 1.0F;
    for (size_t v = 0; v < 256; ++v) {
      const float unit = static_cast<float>(v) / 255.0F;
      values[c][v] = normalise ? (unit - mean) / deviation : unit;
    }
  }
  return values;
}

}  // namespace

Screen::Screen(StimulusSet stimuli, const Preprocessing& preprocessing, bool keep)
    : stimuli_(std::move(stimuli)), preprocessing_(preprocessing) {
  if (!keep) return;
  const auto n = preprocessing.input_size;
  pixels_ = at::empty({size(), n, n, 3}, at::kByte);
  decoded_ = std::make_unique<std::atomic<bool>[]>(static_cast<size_t>(size()));
}

at::Tensor Screen::batch(int64_t begin,
                         int64_t count,
                         const std::vector<double>& mean,
                         const std::vector<double>& std) {
  const auto n = preprocessing_.input_size;
  const auto values = normalised_values(mean, std);
  auto out = at::empty({count, 3, n, n}, at::kFloat);
  auto* target = out.mutable_data_ptr<float>();
  for (int64_t i = begin; i < begin + count; ++i) {
    const bool keep = pixels_.defined();
    const bool ready = keep && decoded_[static_cast<size_t>(i)].load(std::memory_order_acquire);
    Image image;
    const uint8_t* pixels = keep ? pixels_.const_data_ptr<uint8_t>() + i * n * n * 3 : nullptr;
    if (!ready) {
      image = resize_bilinear(
          place_on_screen(decode_image(stimuli_.bytes(i), stimuli_.location(i)),
                          preprocessing_.model_degrees, preprocessing_.stimulus_degrees),
          n, n);
      if (keep) {
        std::copy(image.pixels.begin(), image.pixels.end(),
                  pixels_.mutable_data_ptr<uint8_t>() + i * n * n * 3);
        decoded_[static_cast<size_t>(i)].store(true, std::memory_order_release);
      } else {
        pixels = image.pixels.data();
      }
    }
    for (size_t c = 0; c < 3; ++c) {
      for (int64_t p = 0; p < n * n; ++p)
        *target++ = values[c][pixels[p * 3 + static_cast<int64_t>(c)]];
    }
  }
  return out;
}

}  // namespace cortiscore
