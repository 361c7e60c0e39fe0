#include "src/core/folders.h"

#include <cstdlib>

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

}  // namespace cortiscore
