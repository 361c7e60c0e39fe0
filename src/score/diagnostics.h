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
/// @throws Error(kBadInput)  NaN, infinity or a magnitude over 1e40 in `values` [n_presentations, n_columns], with the
///         first place
void check_finite(const at::Tensor& values,
                  const std::string& where,
                  const std::string& column,
                  const std::string& action);

/// What a user should know: constant neuroids (named), penalties at an end of their list, iteration caps, marginal
/// stops, exhausted components.
std::vector<std::string> warnings_of(const Predictivity& predictivity,
                                     const Estimate& estimate,
                                     const std::vector<std::string>& neuroid_ids);
std::vector<std::string> undefined_warnings(const Estimate& estimate,
                                            const std::vector<std::string>& neuroid_ids);

}  // namespace cortiscore
