#pragma once
#include "src/given/metric.h"

namespace cortiscore::cli {

/// The result as one JSON line, with the notes so far (how files were understood), or its `key` as
/// a sentence with warnings on stderr. Arrays are nested lists; `per_neuroid` only up to a million
/// numbers, else null, with a warning that says how to get them.
void print_result(const MetricResult& result, const char* key, bool json);

}  // namespace cortiscore::cli
