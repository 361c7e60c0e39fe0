#pragma once
#include "src/given/ceiling.h"

namespace cortiscore {

/// Takes what is no array or table into `arguments`, by the names of the command line's flags with
/// _ for -, as Python has them. What is not named keeps its default.
/// @throws Error(kUsage)  a name that is none, a value of another type or out of range, by its flag
void take_options(const Json& named, CeilingArguments& arguments);

}  // namespace cortiscore
