#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/profile/job.h"
#include "src/profile/machine.h"
#include "src/profile/stage_times.h"

namespace cortiscore {

/// What was found of a job, from which changes are predicted.
struct Found {
  double wall_s = 0;
  StageSeconds seconds;  ///< by stage and detail
  std::vector<Json> records;
  MachineLimits limits;
  int64_t threads = 1;
};

/// One thing that could be changed, and what it would take then.
struct Change {
  std::string name;   ///< threads, memory, layers or precision
  std::string flags;  ///< that make it
  std::string why;
  double predicted_s = 0;
  ScoringJob job;       ///< changed
  int64_t threads = 1;  ///< with it
};

/// What could be changed so that the job takes less time, the most promising first. Predictions
/// take what was measured apart and leave everything else as it is:
/// - threads: stages that loop over stimuli, folds or layers are divided by what the machine's
///   products gain from as many threads as there are;
/// - memory, on a CPU: placing and passing are divided by how many passes fewer they take; what was
///   decoded is kept from one pass to the next;
/// - layers: of layers that competed one is committed to: passes end there, and the others are not
///   kept, reduced and mapped;
/// - precision: the forward pass is divided by what bfloat16 gains in products of matrices.
/// @param notes  what could not be predicted, and why, is added
std::vector<Change> changes_for(const ScoringJob& job,
                                const Found& found,
                                std::vector<std::string>& notes);

}  // namespace cortiscore
