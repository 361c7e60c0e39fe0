#pragma once
#include <string>
#include <vector>

namespace cortiscore {

/// The words of `python -m MODULE`, with the project's packages put on this process's PYTHONPATH, and this binary named to
/// it: what Python asks the engine for, it asks this very one.
std::vector<std::string> python_command(const std::string& module);

}  // namespace cortiscore
