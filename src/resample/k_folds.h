#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/resample/splits.h"

namespace cortiscore {

/// Exactly sklearn.model_selection.KFold(k, shuffle=True, random_state=seed): a permutation cut
/// into k folds, each of which is tested once.
/// @throws Error(kBadInput)  fewer presentations than folds
Splits k_folds(int64_t n, int64_t k, uint32_t seed);

/// Exactly sklearn.model_selection.StratifiedKFold(k, shuffle=True, random_state=seed), but that
/// classes with fewer members than folds are dealt out without an objection.
/// @param classes  one a presentation, 0 to the number of classes - 1, in order of their first
///                 presentation where the splitter's draws are to be the same
/// @throws Error(kBadInput)  fewer presentations than folds
Splits stratified_k_folds(const std::vector<int64_t>& classes, int64_t k, uint32_t seed);

/// Exactly sklearn.model_selection.GroupKFold(k): whole groups, the largest first to the fold that
/// has the fewest presentations.
/// @throws Error(kBadInput)  fewer groups than folds
Splits group_k_folds(const std::vector<std::string>& groups, int64_t k);

}  // namespace cortiscore
