#pragma once
#include <string>
#include <vector>

#include "src/benchmark/tree.h"
#include "src/results/store.h"

namespace cortiscore::cli {

/// One network's row below the table of `score`: the composite of the benchmarks asked for. Nothing
/// where fewer than two of them join it.
void print_composite(const std::vector<Json>& records,
                     const std::vector<Manifest>& benchmarks,
                     const Tree& tree);

/// A network's place; equal composites share one, and the next is skipped.
struct Ranked {
  int64_t place = 0;  ///< 0: no composite
  std::string model;
  std::vector<NodeScore> nodes;  ///< the composite first
};

/// Networks of a store. Leaves are the benchmarks that any of them has a record of; of several
/// records of one network and benchmark (other options, other versions) the one that ended last
/// counts. Simulated benchmarks count only where there are no others.
/// @throws Error(kBadInput)  nothing to rank
std::vector<Ranked> rank_store(Store& store, const RecordFilter& filter, const Tree& tree);

/// Networks of a published table. @throws Error(kBadInput)  no column model, or none of a leaf; a
/// cell that is no number
std::vector<Ranked> rank_table(const std::string& path, const Tree& tree);

void print_ranking(const std::vector<Ranked>& ranking, bool json);

}  // namespace cortiscore::cli
