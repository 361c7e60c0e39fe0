#include "src/engine/python.h"

#include <cstdlib>
#include <filesystem>

namespace cortiscore {

std::vector<std::string> python_command(const std::string& module) {
  const char* set = std::getenv("CORTISCORE_PYTHON");
  const char* inherited = std::getenv("PYTHONPATH");
  std::string path = CORTISCORE_PYTHON_DIR;
  if (inherited && std::string(inherited) != path) path += std::string(":") + inherited;
  setenv("PYTHONPATH", path.c_str(), 1);
  std::error_code unknown;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (!unknown) setenv("CORTISCORE_BINARY", self.c_str(), 1);
  return {set ? set : CORTISCORE_PYTHON, "-m", module};
}

}  // namespace cortiscore
