#pragma once
#include <string>
#include <vector>

#include "src/results/json.h"

namespace cortiscore {

/// The columns of a table of records: scalars by dotted name ("score.raw"), and lists. They are
/// fixed, so that rows of different benchmarks agree.
const std::vector<std::string>& record_columns();

/// What a record has under a dotted name; null where it has no such thing.
Json cell_of(const Json& record, const std::string& column);

}  // namespace cortiscore
