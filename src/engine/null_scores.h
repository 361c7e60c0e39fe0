#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/engine/benchmark.h"
#include "src/engine/workbench.h"
#include "src/results/json.h"

namespace cortiscore {

/// What a record says of raw scores that come from no relation between network and recordings:
/// their number, mean, deviation, the value that 95 % do not reach (numpy.percentile), the share
/// `p` that reaches the score, itself counted in (Phipson & Smyth 2010), and whether the score is
/// `within`: p above .05. Null where there are no draws, or no score.
/// @param of  what was drawn, in words
Json null_json(const std::vector<double>& draws, double raw, const std::string& of);

/// The sentence for a record's warnings; none where the score is above.
std::optional<std::string> null_warning(const Json& null);

/// Draws that depend on a benchmark and its recordings alone, kept on this machine in
/// cache_folder(), so that they are made once. Empty where none are asked for, or none are kept and
/// they are not to be made (ScoreOptions::make_null).
/// @param what     beside benchmark and recordings, all that they depend on
/// @param n_draws  0: none
/// @param make     one draw, by its number
std::vector<double> kept_null(const Benchmark& benchmark,
                              Workbench& workbench,
                              const std::string& what,
                              int64_t n_draws,
                              const std::function<double(int64_t)>& make);

}  // namespace cortiscore
