#pragma once
#include <cstdint>

#include "src/benchmark/recordings.h"
#include "src/kinds/solution_times/definition.h"
#include "src/score/solution_time_score.h"

namespace cortiscore {

/// Images whose object IT solves, and when; features are the network's to add.
struct SolutionTimeData : Recordings {  ///< stimuli that are solved alone, in the order of `images`
  SolvedImages images;
  int64_t n_presentations = 0;  ///< with those that are not solved
};
const SolutionTimeData& solution_time_data(const SolutionTimeBenchmark& benchmark,
                                           Workbench& workbench);

}  // namespace cortiscore
