#pragma once
#include <string>
#include <vector>

#include "src/activations/reduce.h"
#include "src/core/stage.h"
#include "src/engine/benchmark.h"
#include "src/engine/workbench.h"

namespace cortiscore {

/// What is profiled: a network scored on benchmarks, from opening its file to the last record.
struct ScoringJob {
  std::string network, variable;
  Benchmarks benchmarks;
  ScoreOptions options;
  std::string scratch;  ///< a folder for the records, on the disk that a store would be on
};

/// One run of it.
struct JobRun {
  double wall_s = 0;
  double next_s = 0;  ///< the same network once more in that process, as a sweep's next checkpoint
  std::vector<Json> records;  ///< a benchmark
  int64_t presentations = 0;  ///< shown in a forward pass over every set of stimuli
  int64_t peak_bytes = 0;     ///< of the process
};

/// Scores everything anew: nothing of an earlier run is used but what the system keeps of files.
/// @param twice  the network is scored once more with what the first time has made: next_s
/// @throws Error  what scoring throws
JobRun run_job(const ScoringJob& job, bool twice = false);

/// Forward passes over stimuli that the job takes at this --memory-gib on a CPU, of those that are
/// known before.
int64_t planned_passes(const ScoringJob& job, double memory_gib);

/// SHA-256 of all that a job computes: what two machines must share to be compared.
std::string job_key(const ScoringJob& job, const std::vector<Json>& records);

}  // namespace cortiscore
