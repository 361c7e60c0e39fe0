#pragma once
#include <string>
#include <vector>

#include "src/results/json.h"

namespace cortiscore {

/// @throws Error(kBadInput)  a file that is no profile, or one of another version
void check_profile(const Json& profile, const std::string& path);

/// One job on several machines: wall time, images a second, checkpoints an hour, every stage and
/// every limit, and how many times the first machine's each is.
/// @param paths  of the profiles, for messages
/// @throws Error(kBadInput)  profiles of different jobs, naming what differs
Json compare_machines(const std::vector<Json>& profiles, const std::vector<std::string>& paths);

}  // namespace cortiscore
