#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/benchmark/recordings.h"
#include "src/kinds/thresholds/definition.h"

namespace cortiscore {

/// Stimuli that a threshold is found with, each several times.
struct ThresholdSet {
  std::string file;
  int64_t trials = 1, n_stimuli = 0;
  std::vector<int64_t> truth;  ///< of every stimulus: its label's code
  std::vector<double> x;       ///< of every stimulus: the variable; not of fits

  int64_t n_presentations() const { return n_stimuli * trials; }
};

/// Subjects' thresholds, or elevations over a baseline, and the stimuli that find a network's.
struct ThresholdData : Recordings {  ///< stimuli of the test
  std::vector<ThresholdSet> fits;    ///< a readout each
  std::optional<ThresholdSet> baseline;
  ThresholdSet test;
  std::vector<std::string> class_names, subjects;
  std::vector<double> thresholds;  ///< of every subject; elevations where there is a baseline
};
const ThresholdData& threshold_data(const ThresholdBenchmark& benchmark, Workbench& workbench);

}  // namespace cortiscore
