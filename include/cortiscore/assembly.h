#pragma once
#include <map>
#include <string>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// One coordinate along a dimension: text or numbers, one a position.
struct Coordinate {
  std::string dim;
  std::variant<std::vector<std::string>, std::vector<double>> values;

  size_t size() const;
  /// Every value as text; whole numbers without a decimal point.
  std::vector<std::string> as_text() const;
};

/// Labelled recordings, as xarray and BrainIO hold them.
struct Assembly {
  std::string identifier;
  std::vector<std::string> dims;  ///< e.g. presentation, neuroid, time_bin
  at::Tensor values;              ///< float32 or float64, one axis a dim, on the CPU
  std::map<std::string, Coordinate> coords;
  std::map<std::string, std::string> attributes;
  /// attributes that are numbers, and variables along dims of their own
  std::map<std::string, std::vector<double>> lists;

  /// @throws Error(kBadInput)  no such coordinate; the message lists those that are there
  const Coordinate& coord(const std::string& name) const;
};

/// Responses by repetition: the form that ceilings need.
struct Trials {
  std::vector<std::string> stimulus_ids;  ///< in order of first appearance
  std::vector<std::string> neuroid_ids;
  at::Tensor values;  ///< [n_repetitions, n_stimuli, n_neuroids] float64, NaN where missing

  /// Mean over repetitions skipping NaN: [n_stimuli, n_neuroids]; NaN where no repetition is there.
  at::Tensor averaged() const;
};

/// The positions where a coordinate has one of some values: all others of its dim are left out.
/// @throws Error(kBadInput)  no such coordinate, or none of the values in it
Assembly select(const Assembly& assembly,
                const std::string& coordinate,
                const std::vector<std::string>& accepted);

/// The positions where a coordinate of numbers is above a threshold.
/// @throws Error(kBadInput)  no such coordinate, text in it, or no value above
Assembly select_above(const Assembly& assembly, const std::string& coordinate, double threshold);

/// The mean, skipping NaN, of the time bins from start_ms on that end by end_ms, as one bin.
/// Source: Brain-Score's time_bin selection and its mean over them (FreemanZiemba2013: 1-ms bins
/// from 50 to 200).
/// @throws Error(kBadInput)  no such bins
Assembly mean_of_bins(const Assembly& assembly, double start_ms, double end_ms);

/// Start and end, in ms, of the time bins from start_ms on that end by end_ms, in order.
/// @throws Error(kBadInput)  none
std::vector<std::pair<double, double>> bins_within(const Assembly& assembly,
                                                   double start_ms,
                                                   double end_ms);

/// The time bins from start_ms on that end by end_ms, each bin of a neuroid a neuroid of its own,
/// "ID@START-END": bins fastest.
/// @throws Error(kBadInput)  no such bins
Assembly bins_as_neuroids(const Assembly& assembly, double start_ms, double end_ms);

/// Presentations x neuroids of one time bin (dims in any order), sorted into repetitions by the
/// coordinates stimulus_id (or the older image_id) and `repetition`; without that coordinate,
/// repeated ids count up.
/// @throws Error(kBadInput)  no stimulus_id, several time bins, or one (stimulus, repetition) twice
Trials to_trials(const Assembly& assembly, const std::string& repetition = "repetition");

}  // namespace cortiscore
