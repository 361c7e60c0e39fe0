#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/results/json.h"

namespace cortiscore {

/// Numbers that a record keeps beside its score, once they were held to the rest of the record: a
/// comparison must not believe draws of which the interval beside them is not.
struct Kept {
  std::string packed;  ///< results/json.h; empty where nothing can be used
  int64_t splits = 0;  ///< of scores a neuroid: rows
  std::string why;     ///< why nothing can be used, to stand behind "the record"
  bool wrong = false;  ///< because it contradicts the rest of the record, or is damaged
};

/// The draws of a score's bootstrap, of the ceiled score or of the raw one.
///
/// Used are those of seed 0, which all networks share. They must be the first 1000 of the record's
/// n_boot, and its interval must be theirs: of n draws (n - 1)(1 - level) / 2 lie beyond each end
/// (numpy.percentile), give or take one, and six standard deviations of that number where the
/// interval is of more draws than were kept.
/// @param raw  of the raw score
Kept kept_draws(const Json& record, bool raw);

/// The raw score of every neuroid in every split.
Kept kept_neuroids(const Json& record);

}  // namespace cortiscore
