#include "src/engine/python.h"

#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include "src/core/layout.h"

namespace cortiscore {
namespace {

void set(std::vector<std::string>& environment, const std::string& name, const std::string& value) {
  std::erase_if(environment, [&](const auto& text) { return text.starts_with(name + "="); });
  environment.push_back(name + "=" + value);
}

}  // namespace

std::vector<char*> PythonCommand::pointers(std::vector<std::string>& texts) {
  std::vector<char*> found;
  found.reserve(texts.size() + 1);
  for (auto& text : texts) found.push_back(text.data());
  found.push_back(nullptr);
  return found;
}

PythonCommand python_command(const std::string& module) {
  const char* inherited = std::getenv("PYTHONPATH");
  PythonCommand command;
  command.words = {python_program(), "-m", module};
  for (char** text = environ; *text; ++text) command.environment.emplace_back(*text);
  if (auto path = python_packages(); !path.empty()) {
    if (inherited && inherited != path) path += std::string(":") + inherited;
    set(command.environment, "PYTHONPATH", path);
  }
  std::error_code unknown;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (!unknown) set(command.environment, "CORTISCORE_BINARY", self.string());
  return command;
}

}  // namespace cortiscore
