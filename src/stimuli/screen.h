#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/stimuli/stimulus_set.h"

namespace cortiscore {

/// Stimuli as one kind of network sees them: decoded, placed on its screen, resized. Each is decoded when first asked
/// for; where `keep` is set its 8-bit pixels stay, so that the next network, or the next pass, decodes nothing.
class Screen {
 public:
  /// @param preprocessing  without mean and std, which are batch()'s
  Screen(StimulusSet stimuli, const Preprocessing& preprocessing, bool keep);

  const StimulusSet& stimuli() const { return stimuli_; }
  int64_t size() const { return stimuli_.size(); }

  /// Stimuli begin..begin+count-1, normalised by mean and std (empty: not at all). Safe from several threads for ranges that do not overlap.
  /// @return [count, 3, N, N] float32, the same bits whether kept or decoded now
  at::Tensor batch(int64_t begin,
                   int64_t count,
                   const std::vector<double>& mean,
                   const std::vector<double>& std);

  /// Bytes that `keep` holds once every stimulus was asked for.
  static int64_t bytes(int64_t n_stimuli, int64_t input_size) {
    return n_stimuli * 3 * input_size * input_size;
  }

 private:
  StimulusSet stimuli_;
  Preprocessing preprocessing_;
  at::Tensor pixels_;  // [n, N, N, 3] uint8; undefined where nothing is kept
  std::unique_ptr<std::atomic<bool>[]> decoded_;
};

}  // namespace cortiscore
