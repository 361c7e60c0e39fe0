#include "src/core/folders.h"

#include <cstdlib>
#include <filesystem>

namespace cortiscore {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string under(const char* xdg, const char* fallback) {
  const auto set = variable(xdg);
  return (set.empty() ? variable("HOME") + fallback : set) + "/cortiscore";
}

}  // namespace

std::string home() {
  const auto set = variable("CORTISCORE_HOME");
  return set.empty() ? under("XDG_DATA_HOME", "/.local/share") : set;
}

std::string cache_folder() {
  return under("XDG_CACHE_HOME", "/.cache");
}

std::string brainio_file(const std::string& name) {
  namespace fs = std::filesystem;
  const auto set = variable("BRAINIO_HOME");
  std::error_code error;
  for (const auto& folder :
       fs::directory_iterator(set.empty() ? variable("HOME") + "/.brainio" : set, error)) {
    auto there = (folder.path() / name).string();
    if (fs::is_regular_file(there, error)) return there;
  }
  return {};
}

}  // namespace cortiscore
