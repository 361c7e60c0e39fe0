#include "src/stimuli/screen.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "src/core/stage.h"
#include "src/stimuli/image.h"
#include "src/stimuli/microsaccades.h"

namespace cortiscore {

Screen::Screen(StimulusSet stimuli, const Preprocessing& preprocessing, bool may_keep)
    : stimuli_(std::move(stimuli)), preprocessing_(preprocessing), may_keep_(may_keep) {
  constexpr double kExtentDegrees = 0.05;  // BENCHMARKS.md section 3
  const double extent =
      kExtentDegrees / preprocessing.model_degrees * static_cast<double>(preprocessing.input_size);
  if (preprocessing.trials > 1) shifts_ = microsaccades(preprocessing.trials, extent);
}

std::vector<std::pair<double, double>> Screen::shifts(int64_t begin, int64_t count) const {
  std::vector<std::pair<double, double>> shifts;
  for (int64_t i = begin; i < begin + count && !shifts_.empty(); ++i)
    shifts.push_back(shifts_[static_cast<size_t>(i % preprocessing_.trials)]);
  return shifts;
}

void Screen::keep() {
  if (!may_keep_ || pixels_.defined()) return;
  const auto n = preprocessing_.input_size;
  pixels_ = at::empty({size(), n, n, 3}, at::kByte);
  decoded_ = std::make_unique<std::atomic<bool>[]>(static_cast<size_t>(size()));
}

void Screen::decode(int64_t stimulus, uint8_t* target) const {
  const auto n = preprocessing_.input_size;
  const auto decoded = [&] {
    const Stage decoding(StageName::kDecode);
    return decode_image(stimuli_.bytes(stimulus), stimuli_.location(stimulus));
  }();
  const Stage placing(StageName::kPlace);
  const auto image = resize_bilinear(
      place_on_screen(decoded, preprocessing_.model_degrees, preprocessing_.stimulus_degrees), n,
      n);
  std::copy(image.pixels.begin(), image.pixels.end(), target);
}

at::Tensor Screen::pixels(int64_t begin, int64_t count) {
  const auto n = preprocessing_.input_size;
  const bool keep = pixels_.defined();
  auto out = keep ? pixels_.narrow(0, begin, count) : at::empty({count, n, n, 3}, at::kByte);
  auto* const target = out.mutable_data_ptr<uint8_t>();
  for (int64_t i = 0; i < count; ++i) {
    if (keep && decoded_[static_cast<size_t>(begin + i)].load(std::memory_order_acquire)) continue;
    const bool again = i > 0 && (begin + i) % preprocessing_.trials != 0;
    if (again)
      std::copy_n(target + (i - 1) * n * n * 3, n * n * 3, target + i * n * n * 3);
    else
      decode((begin + i) / preprocessing_.trials, target + i * n * n * 3);
    if (keep) decoded_[static_cast<size_t>(begin + i)].store(true, std::memory_order_release);
  }
  return out;
}

Normaliser::Normaliser(const std::vector<double>& mean,
                       const std::vector<double>& std,
                       const at::Device& device)
    : device_(device), full_(at::full({}, 255, at::kFloat)) {
  if (!mean.empty()) {
    mean_ = at::tensor(mean, at::kFloat).view({3, 1, 1});
    std_ = at::tensor(std, at::kFloat).view({3, 1, 1});
  }
  const auto bytes = at::arange(256, at::kByte).view({1, 256, 1, 1}).expand({1, 256, 1, 3});
  table_ = definition(bytes).view({3, 256}).contiguous();
  if (device.is_cpu()) return;
  full_ = full_.to(device);
  if (mean_.defined()) {
    mean_ = mean_.to(device);
    std_ = std_.to(device);
  }
}

at::Tensor Normaliser::definition(const at::Tensor& pixels) const {
  // Divided by tensors: on a GPU torch turns a division by a number into a product with its
  // inverse, which rounds otherwise.
  const auto unit = pixels.permute({0, 3, 1, 2}).contiguous().to(at::kFloat) / full_;
  return mean_.defined() ? (unit - mean_) / std_ : unit;
}

at::Tensor Normaliser::operator()(const at::Tensor& pixels) const {
  if (!device_.is_cpu()) return definition(pixels.pin_memory().to(device_, /*non_blocking=*/true));
  const int64_t area = pixels.size(1) * pixels.size(2);
  auto out = at::empty({pixels.size(0), 3, pixels.size(1), pixels.size(2)}, at::kFloat);
  auto* target = out.mutable_data_ptr<float>();
  const auto* source = pixels.const_data_ptr<uint8_t>();
  const auto* const table = table_.const_data_ptr<float>();
  for (int64_t i = 0; i < pixels.size(0); ++i, target += area * 3) {
    for (int64_t p = 0; p < area; ++p, source += 3) {
      for (int64_t c = 0; c < 3; ++c) target[c * area + p] = table[c * 256 + source[c]];
    }
  }
  return out;
}

}  // namespace cortiscore
