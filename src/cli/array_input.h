#pragma once
#include <string>

#include <ATen/core/Tensor.h>

#include "src/resample/splits.h"
#include "src/results/json.h"
#include "src/score/interval.h"

namespace cortiscore::cli {

/// A JSON list of {"train": [...], "test": [...]}, checked against n presentations.
Splits read_splits(const std::string& path, int64_t n);

/// An array of `dims` dims from .npy, .nc or .csv; one dim fewer gains a last axis of one.
at::Tensor read_dims(const std::string& path, int64_t dims, const std::string& expected);

/// `per_neuroid` of a result: nested lists up to a million numbers, else null, with a warning that says how to get them.
void add_values(Json& result, const char* key, const at::Tensor& values, const std::string& flag);

/// The interval of a bootstrap and what was drawn, under the keys that metric and ceiling share.
void add_interval(Json& result, const Resampled& resampled, const ResampleOptions& options);

/// The result as one JSON line, with the notes so far (how files were understood), or its `key` as a sentence with warnings on stderr; a
/// value that is null has a warning.
void print_result(Json result, const char* key, bool json);

}  // namespace cortiscore::cli
