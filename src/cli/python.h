#pragma once
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace cortiscore::cli {

/// This process becomes `python -m MODULE ARGUMENTS` with the project's packages on its path.
/// @throws Error(kUsage)  there is no such Python
[[noreturn]] void become_python(const std::string& module,
                                const std::vector<std::string>& arguments);

/// A verb whose every word Python reads: MODULE with `leading` before them. @param text  for --help
void add_python_verb(CLI::App& parent,
                     const std::string& name,
                     const std::string& text,
                     const std::string& module,
                     const std::vector<std::string>& leading = {});

}  // namespace cortiscore::cli
