#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Which pattern of confusions is compared: by image or object, one value or one a distractor, and
/// normalised or not.
struct PatternName {
  bool by_object = false;   ///< o1, o2: images of an object averaged first
  bool one_a_row = false;   ///< i1, i1n, o1: distractors averaged
  bool normalised = false;  ///< i1n, i2n: less the mean over images of each (object, distractor)
};
/// i1, i1n, i2, i2n, o1, o2. @throws Error(kUnknownName)
PatternName pattern_name(const std::string& name);
bool is_pattern_name(const std::string& name);

/// Two-way choices of observers, coded: one entry a trial.
struct TwoWayTrials {
  at::Tensor stimulus;    ///< [t] int64, row of the images
  at::Tensor choice;      ///< [t] int64, object chosen
  at::Tensor sample;      ///< [t] int64, one object offered: the truth
  at::Tensor distractor;  ///< [t] int64, the other
};

/// p[image, object c]: how often c is chosen over the image's own object; NaN where c is that
/// object. From a network's probabilities: P(c) / (P(c) + P(truth)).
/// @param probabilities  [n_images, n_objects] float64  @param truth  [n_images] int64
at::Tensor confusion_of_probabilities(const at::Tensor& probabilities, const at::Tensor& truth);
/// From trials `rows`: #(c chosen on the image) / #(c offered on the image); NaN where never
/// offered.
at::Tensor confusion_of_trials(const TwoWayTrials& trials,
                               const at::Tensor& rows,
                               const at::Tensor& truth,
                               int64_t n_objects);

/// d' from confusions: z(1 - p[i, c]) - z(mean over images j of object c of p[j, truth of i]),
/// clipped to [-5, 5]; then normalised and averaged as the name says. [n_images, n_objects],
/// [n_images], [n_objects, n_objects] or [n_objects].
/// Source: Rajalingham et al. 2018, eq. 1-4; the platform's i1 to i2n; BENCHMARKS.md 2.7.
at::Tensor confusion_pattern(const at::Tensor& confusion,
                             const at::Tensor& truth,
                             PatternName name);

}  // namespace cortiscore
