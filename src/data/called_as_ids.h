#pragma once
#include <string>
#include <vector>

#include "src/data/table.h"

namespace cortiscore {

/// Whether a column is called as ids are, under another name than stimulus_id: "cocoId", "item",
/// "image_no". Whole numbers, no two alike, are then as likely ids as they are responses.
bool called_as_ids(const std::string& column);

/// Three numbers or more, all whole and no two alike. @param numbers  NaN where one is missing
bool whole_and_distinct(std::vector<double> numbers);

/// Whether numbers are 0, 1, 2, ... or 1, 2, 3, ..., three of them or more: an index of rows,
/// whatever it is called, where its column is the first that names neither stimuli nor repetitions.
bool counts_rows(const std::vector<double>& numbers);

/// The name of that column; "" where there is none.
std::string index_of(const Table& table);

}  // namespace cortiscore
