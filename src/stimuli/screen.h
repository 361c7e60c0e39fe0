#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/stimuli/stimulus_set.h"

namespace cortiscore {

/// Stimuli as one kind of network sees them: decoded, placed on its screen, resized. Each is
/// decoded when asked for; once `keep` was called its 8-bit pixels stay, so that the next network,
/// or the next pass, decodes nothing.
class Screen {
 public:
  /// @param preprocessing  without mean and std, which are Normaliser's
  /// @param may_keep  whether there is memory for all of its pixels
  Screen(StimulusSet stimuli, const Preprocessing& preprocessing, bool may_keep);

  /// For stimuli that are asked for more than once. Not while pixels() runs.
  void keep();

  const StimulusSet& stimuli() const { return stimuli_; }
  /// Presentations: every stimulus, its trials one after the other.
  int64_t size() const { return stimuli_.size() * preprocessing_.trials; }

  /// Presentations begin..begin+count-1, before they are moved. Safe from several threads for
  /// ranges that do not overlap.
  /// @return [count, N, N, 3] uint8 on the CPU, the same bits whether kept or decoded now; a view
  ///         where kept
  at::Tensor pixels(int64_t begin, int64_t count);

  /// How far each of them is moved on the screen, right and down, px of the input: none where there
  /// is one trial.
  std::vector<std::pair<double, double>> shifts(int64_t begin, int64_t count) const;

  /// Bytes that it holds once every stimulus was asked for.
  int64_t kept_bytes() const { return pixels_.defined() ? pixels_.numel() : 0; }

  /// Bytes that `keep` holds once every stimulus was asked for.
  static int64_t bytes(int64_t n_presentations, int64_t input_size) {
    return n_presentations * 3 * input_size * input_size;
  }

 private:
  void decode(int64_t stimulus, uint8_t* target) const;

  StimulusSet stimuli_;
  Preprocessing preprocessing_;
  bool may_keep_;
  std::vector<std::pair<double, double>> shifts_;  // of every trial
  at::Tensor pixels_;  // [n, N, N, 3] uint8; undefined where nothing is kept
  std::unique_ptr<std::atomic<bool>[]> decoded_;
};

/// 8-bit pixels as a network's input: value / 255, then (unit - mean) / std, each rounded to
/// float32 as torchvision's ToTensor and Normalize round them. Pixels cross to a device as bytes
/// and are normalised there, with the same bits.
class Normaliser {
 public:
  /// @param mean, std  three channels; empty: value / 255 is the input
  Normaliser(const std::vector<double>& mean,
             const std::vector<double>& std,
             const at::Device& device);

  /// @param pixels  [n, N, N, 3] uint8 on the CPU  @return [n, 3, N, N] float32 on the device; does
  ///                not wait for it
  at::Tensor operator()(const at::Tensor& pixels) const;

  /// The definition, on whatever device the pixels are.
  at::Tensor definition(const at::Tensor& pixels) const;

 private:
  at::Device device_;
  at::Tensor full_, mean_, std_;  // 255; [3, 1, 1] each, undefined where nothing is normalised
  at::Tensor table_;              // [3, 256]: the definition of every byte, on the CPU
};

}  // namespace cortiscore
