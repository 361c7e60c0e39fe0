#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "src/core/stage.h"
#include "src/profile/job.h"
#include "src/results/json.h"

namespace cortiscore {

struct ProfileOptions {
  ScoringJob job;
  int64_t least_pairs = 3, most_pairs = 10;  ///< runs with and without the clock of stages
  double minutes = 10;      ///< after which no further pair begins, once there are enough
  int64_t checkpoints = 0;  ///< of a sweep whose hours are wanted; 0: none
  bool try_change = true;   ///< whether the most promising change is made, and its gain measured
  bool measure_limits = false;  ///< again, where the machine's are known
  std::string command;          ///< that makes this profile
};

struct Profile {
  Json json;                     ///< by data_manifests/profile.schema.json
  std::vector<StageSpan> spans;  ///< of the last run with the clock of stages
};

/// Measures a scoring job: a run that counts operations and warms the system's caches up, then runs
/// with and without the clock of stages by turns, until the time without it is known to 2 %.
/// @throws Error  what scoring throws
Profile profile_job(const ProfileOptions& options);

/// The spans as a trace that Perfetto and chrome://tracing open: JSON of complete events, us.
/// Source: "Trace Event Format", The Chromium project.
Json trace_json(const std::vector<StageSpan>& spans);

}  // namespace cortiscore
