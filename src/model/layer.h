#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// What one call of a recurrent module stands for, in ms after stimulus onset.
struct TimeBin {
  double start_ms = 0, end_ms = 0;
};

/// A module of the network whose output can be tapped. Of one that runs several times NAME is the
/// last call, NAME@0, NAME@1, ... are each; where its calls stand for time bins, NAME@70-170 is
/// their average over that window. Of one that returns several tensors NAME is the first, NAME#KEY
/// each. NAME:cls is its class token, NAME:mean its mean over tokens or places.
struct Layer {
  std::string name;   ///< dotted module path, as in Python's named_modules()
  std::string type;   ///< the module's class; may be empty
  std::string value;  ///< the graph value that is its output
  /// of one stimulus; windows, tokens or places first where there are such
  std::vector<int64_t> shape;
  std::vector<TimeBin> time_bins;  ///< of its calls, where the archive says; in order

  /// Where stimuli are in the value: along this axis, and `windows` entries of it belong to each.
  /// -1: all of it is of one.
  int64_t batch_axis = 0;
  int64_t windows = 1;
  /// What is found in place of a feature vector a stimulus; empty: nothing, it can be mapped.
  std::string unusable{};

  /// What a pooled layer leaves of the stimulus's own tensor: its first token; or its mean over
  /// these axes, in order.
  bool class_token = false;
  std::vector<int64_t> averaged{};

  int64_t n_features() const;

  /// The layer's features of n stimuli: [n, n_features]. Undefined where the value is not what the
  /// layer table says of it.
  at::Tensor rows(const at::Tensor& output, int64_t n) const;
};

/// What follows a layer's name: "IT@70-170:mean".
struct LayerName {
  std::string base;  ///< "IT", or "IT@3" where that is a call
  bool windowed = false;
  TimeBin window;       ///< of time
  std::string pooling;  ///< "cls", "mean", or empty
};

LayerName read_layer_name(const std::string& name);

/// "70-170".
std::string window_text(const TimeBin& window);
/// "IT@70-170": a layer in a window of time; of "IT:mean" "IT@70-170:mean".
std::string layer_in_window(const std::string& layer, const TimeBin& window);
/// The layer without its window: of "IT@70-170" IT, of "IT@70-170:mean" IT:mean; of "IT@3" that
/// itself.
std::string without_window(const std::string& layer);

/// "2 x 3".
std::string shape_text(const std::vector<int64_t>& shape);

/// The axes of a stimulus's tensor that its mean is over. Of tokens x features the first. Maps are
/// square, since inputs are: of channels x n x n the last two, of n x n x channels the first two,
/// and none where that leaves it open. Windows before either are averaged over as well.
std::vector<int64_t> averaged_axes(const Layer& layer);

}  // namespace cortiscore
