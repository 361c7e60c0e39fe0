#pragma once
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Response properties of units, from their responses to gratings and textures. Everything is a
/// tensor operation over all units at once, on their device; curves are float64 [units, points].
/// What is not defined is NaN.
/// Source: Marques, Schrimpf & DiCarlo 2021; BENCHMARKS.md 1.3; for each property the study named
/// there.

/// Mean over phases ("DC") and twice the amplitude of the first harmonic ("F1") of responses [...,
/// phases].
struct Harmonics {
  at::Tensor dc, f1;
};
Harmonics harmonics(const at::Tensor& responses);

/// 1 - |sum r exp(2 i theta)| / sum |r|. @param degrees  [points]. Ringach, Shapley & Hawken 2002.
at::Tensor circular_variance(const at::Tensor& curves, const std::vector<double>& degrees);

/// How an orientation curve is smoothed before a cubic spline runs through it, and where its flanks
/// end.
struct BandwidthRule {
  double neighbour;  ///< weight of each neighbour beside a weight of 1: .4 ("hanning") or .2
                     ///< ("smooth")
  double threshold;  ///< of the maximum: .707 or .5
  bool half;         ///< half of the distance between flanks
};
constexpr BandwidthRule kRingachBandwidth{0.4, 0.707, true};
constexpr BandwidthRule kDeValoisBandwidth{0.2, 0.5, false};

struct OrientationTuning {
  at::Tensor preferred;  ///< degrees, 0 to 179
  at::Tensor bandwidth;  ///< degrees; NaN above 180 or where a flank is missing
};
OrientationTuning orientation_tuning(const at::Tensor& curves,
                                     const std::vector<double>& degrees,
                                     const BandwidthRule& rule);

/// Response at the orientation 90 degrees from the best one, over that at the best.
at::Tensor orthogonal_ratio(const at::Tensor& curves);

struct FrequencyTuning {
  at::Tensor peak;             ///< cycles per degree
  at::Tensor bandwidth_ratio;  ///< 100 x low / high frequency at .707 of the maximum
};
FrequencyTuning frequency_tuning(const at::Tensor& curves, const std::vector<double>& frequencies);

struct SizeTuning {
  at::Tensor suppression_index;                   ///< (peak - largest size) / peak
  at::Tensor summation_field, surround_diameter;  ///< degrees; where the index is above .1
};
SizeTuning size_tuning(const at::Tensor& curves, const std::vector<double>& radii);

/// Of responses to textures and to noise with their spectra, [units, families, samples]. Freeman et
/// al. 2013; Freeman & Simoncelli's V2 study; Ziemba et al. 2016.
struct TextureTuning {
  at::Tensor modulation_index, absolute_modulation_index;
  at::Tensor selectivity, sparseness, variance_ratio;
  at::Tensor max_texture, max_noise;  ///< over stimuli, less the baseline
};
TextureTuning texture_tuning(const at::Tensor& texture,
                             const at::Tensor& noise,
                             const at::Tensor& baseline);

/// Values at `to` of the cubic spline through values at `from` (ascending; not-a-knot ends, as
/// FITPACK's interpolating spline), as a matrix: [to, from] float64 on the CPU. Beyond the ends the
/// outer pieces go on.
at::Tensor spline_matrix(const std::vector<double>& from, const std::vector<double>& to);

/// From activations to spikes per second, so that the units' median peak and baseline to gratings
/// are those of V1 (33.8 and
/// .82). @param peak, blank  [units], rectified activations
struct FiringRate {
  at::Tensor slope, offset;  ///< [] float64

  at::Tensor operator()(const at::Tensor& activations) const;
};
FiringRate firing_rate(const at::Tensor& peak, const at::Tensor& blank);

/// Centres of receptive fields in degrees, [units, 2] (y, x): centroids of rectified response maps
/// over the blank's, above 5 % of each map's maximum; NaN where a unit does not respond.
/// @param maps  [rows, columns, units]: the largest response at every place  @param blank  [units]
/// @param y, x  [rows], [columns] degrees
at::Tensor receptive_field_centres(const at::Tensor& maps,
                                   const at::Tensor& blank,
                                   const std::vector<double>& y,
                                   const std::vector<double>& x);

}  // namespace cortiscore
