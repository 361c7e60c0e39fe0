#pragma once
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/metric/predictivity.h"

namespace cortiscore {

/// @param where   file or array, for the message
/// @param column  what the second axis counts ("feature", "neuroid")
/// @param action  what the user can do
/// @throws Error(kBadInput)  NaN, infinity or a magnitude over 1e40 in `values` [n_presentations,
///         n_columns], with the first place
void check_finite(const at::Tensor& values,
                  const std::string& where,
                  const std::string& column,
                  const std::string& action);

/// What a user should know: constant neuroids (named), penalties at an end of their list, iteration
/// caps, marginal stops, exhausted components.
std::vector<std::string> warnings_of(const Predictivity& predictivity,
                                     const Estimate& estimate,
                                     const std::vector<std::string>& neuroid_ids);
/// Of what medians over neuroids and means over splits skip: neuroids without a value in every
/// split, or in some, and splits without one.
std::vector<std::string> undefined_warnings(const Estimate& estimate,
                                            const std::vector<std::string>& neuroid_ids);
/// That an estimate over neuroids has no interval, where fewer than two have a value.
std::vector<std::string> lone_warnings(const Estimate& estimate);

/// Presentations of neuroids that a ceiling cannot use. @param trials  [n_repetitions,
/// n_presentations, n_neuroids]
std::vector<std::string> few_trials(const at::Tensor& trials);

/// A value that is NaN has a reason: a general one where none is among the warnings.
std::vector<std::string> with_reason(std::vector<std::string> warnings, double value);

/// The first ten, separated by commas.
std::string first_of(const std::vector<std::string>& names);
/// "2 of 5 WHAT WHY: NAMES", or nothing where nothing is left out.
std::vector<std::string> left_out(size_t total,
                                  const std::string& what,
                                  const std::string& why,
                                  const std::vector<std::string>& names);
/// "2 of 5 WHAT", or nothing.
std::vector<std::string> left_out(int64_t n, int64_t total, const std::string& what);

}  // namespace cortiscore
