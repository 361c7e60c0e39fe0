#pragma once
#include <string>
#include <vector>

#include "src/data/table.h"
#include "src/score/solution_time_score.h"

namespace cortiscore {

/// The rows of a table (truth, ost, i1) whose object IT solves, and all that is known of them but a
/// network's features.
struct SolvedRows {
  std::vector<int64_t> rows;
  SolvedImages images;
  std::vector<std::string> warnings;  ///< how many are not solved
};
/// @throws Error(kBadInput)  an ost without an i1, fewer than 30 solved images, or of one object
SolvedRows solved_rows(const Table& table);

}  // namespace cortiscore
