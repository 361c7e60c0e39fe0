#pragma once
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/model/network.h"
#include "src/stimuli/screen.h"

namespace cortiscore {

/// How the network's archive and a benchmark's visual angle prepare a stimulus.
/// @param stimulus_degrees  0: fills the field
Preprocessing preprocessing_of(const Network& network, double stimulus_degrees);

/// Where a pass on a CPU spends its time: seconds, the mean over its threads. On a GPU, which is
/// not waited for, zero.
struct PassSeconds {
  double decode = 0;     ///< files to pixels on the screen
  double normalise = 0;  ///< pixels to the network's input
  double network = 0;    ///< the network itself
  double keep = 0;       ///< copies of the layers asked for
};

/// What is done with a layer's output on a micro-batch: (index into the layers asked for, first
/// stimulus, how many of the rows are stimuli, rows [network.micro_batch(), n_features]). On a CPU
/// several threads call it at once, for different stimuli.
using Keep = std::function<void(size_t, int64_t, int64_t, const at::Tensor&)>;

/// Runs `layers` on every stimulus and hands them over as they appear. On a CPU micro-batches run
/// in parallel, each decoding its own stimuli, with one intra-operator thread. On a GPU they run in
/// order, float32 without TF32, and the pool decodes the next ones meanwhile; pixels cross as
/// bytes, and nothing comes back but what `keep` asks for. It returns when all are done.
/// @param advance  told how many stimuli have just gone through; called under a lock
/// @param seconds  added to, where not null
/// @param lanes  micro-batches at once at most, on a CPU
/// @throws Error  an image that cannot be decoded, a layer that does not exist
void stream(const Network& network,
            Screen& screen,
            const std::vector<std::string>& layers,
            const Keep& keep,
            const std::function<void(int64_t)>& advance = {},
            PassSeconds* seconds = nullptr,
            int64_t lanes = std::numeric_limits<int64_t>::max());

/// Of a layer's features: from `first` on, `width` of them.
struct Columns {
  int64_t first = 0, width = 0;
};

/// Columns of a layer on all stimuli, kept as they appear.
class KeptColumns {
 public:
  KeptColumns(const Network& network, int64_t n_stimuli, Columns columns);
  /// As Keep; safe for different stimuli at once.
  void keep(int64_t first, int64_t count, const at::Tensor& rows);

  at::Tensor values;  ///< [n_stimuli, width] float32, on the network's device

 private:
  Columns columns_;
};

/// Activations of `layers` on every stimulus, flattened: one [n_stimuli, n_features] float32 a
/// layer, on the network's device.
std::vector<at::Tensor> extract(const Network& network,
                                Screen& screen,
                                const std::vector<std::string>& layers,
                                const std::function<void(int64_t)>& advance = {});

}  // namespace cortiscore
