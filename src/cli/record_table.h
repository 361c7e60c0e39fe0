#pragma once
#include <string>

#include "src/results/json.h"

namespace cortiscore::cli {

/// The table of `score`, `sweep` and `results show`: one line a record, ok or failed.
void print_header();
void print_row(const Json& record);
/// A row of that table: network, benchmark, raw, ceiling, ceiled, interval, seconds, layer.
void print_record_cells(const std::vector<std::string>& cells);

/// Whether luck reaches its raw score: `null` in the record.
bool is_within_null(const Json& record);

/// A number of a record, NaN where it is null.
double value_of(const Json& object, const char* key);

std::string cell(double value, const char* format = "%.3f");

}  // namespace cortiscore::cli
