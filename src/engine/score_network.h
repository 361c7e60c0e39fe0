#pragma once
#include <string>
#include <vector>

#include "src/core/failure.h"
#include "src/engine/attempt.h"
#include "src/engine/benchmark.h"
#include "src/engine/candidate.h"
#include "src/results/store.h"

namespace cortiscore {

/// One candidate on one benchmark: the record of docs/formats.md, schema version 1. Timings apart,
/// the same inputs give the same record.
Json score_network(const Candidate& candidate, const Benchmark& benchmark, Workbench& workbench);

/// @param identifier  the network's, or its file's stem where it did not open
/// @param candidate   the network, where it did: the record says which it was
Json failure_record(const std::string& identifier,
                    const std::string& path,
                    const Candidate* candidate,
                    const Benchmark& benchmark,
                    const Failure& failure);

/// A pair's record, from the store where that has it under this name (`stored`), or under another
/// name (then stored under this one too), else scored and stored.
/// @param store  null: nothing is looked up or stored
/// @param tags   an object that the record carries
struct PairResult {
  Json record;
  bool stored = false;
};
PairResult score_pair(const Candidate& candidate,
                      const Benchmark& benchmark,
                      Workbench& workbench,
                      Store* store,
                      bool again,
                      const Json& tags = Json::object());

/// Announces what scoring on `benchmarks` takes of a candidate's forward passes, so that those on
/// the same stimuli share one. What the store holds is left out (unless `again`), and what cannot
/// be read or has no layer to score: that says so when its turn comes.
void plan_scores(const Candidate& candidate,
                 const Benchmarks& benchmarks,
                 Workbench& workbench,
                 Store* store,
                 bool again);

/// What a record's scores depend on; equal keys mean that the work is done already.
/// @param fingerprint  the candidate's
std::string record_key(const std::string& fingerprint,
                       const Benchmark& benchmark,
                       Workbench& workbench);

}  // namespace cortiscore
