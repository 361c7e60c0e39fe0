#pragma once
#include <string>
#include <vector>

namespace cortiscore::cli {

/// This process becomes `python -m MODULE ARGUMENTS` with the project's packages on its path.
/// @throws Error(kUsage)  there is no such Python
[[noreturn]] void become_python(const std::string& module,
                                const std::vector<std::string>& arguments);

}  // namespace cortiscore::cli
