#pragma once
#include <string>
#include <vector>

namespace cortiscore {

/// How to start a Python, for execvpe or posix_spawnp. This process's own environment stays as it
/// is: other threads may read it.
struct PythonCommand {
  std::vector<std::string> words, environment;

  /// Pointers into one of the two, ended by null, as exec takes them.
  static std::vector<char*> pointers(std::vector<std::string>& texts);
};

/// `python -m MODULE` in this process's environment, with the project's packages put on PYTHONPATH,
/// and this binary named to it: what Python asks the engine for, it asks this very one.
PythonCommand python_command(const std::string& module);

}  // namespace cortiscore
