#pragma once
#include "src/results/json.h"

namespace cortiscore::cli {

/// A profile on stdout, for a person.
void print_profile(const Json& profile);

/// What compare_machines() found, a column a machine.
void print_machines(const Json& compared);

}  // namespace cortiscore::cli
