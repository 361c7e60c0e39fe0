#include "src/core/folders.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include <pwd.h>
#include <unistd.h>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// $HOME, else what the system has of this user, as Python takes it: a service may have neither, and
// what is below nothing would be at the root.
std::string user_folder() {
  auto set = variable("HOME");
  if (!set.empty()) return set;
  constexpr size_t kMost = size_t{1} << 16;
  std::vector<char> room(kMost);
  struct passwd user {
  }, *found = nullptr;
  if (::getpwuid_r(::getuid(), &user, room.data(), room.size(), &found) == 0 && found &&
      found->pw_dir && *found->pw_dir)
    return found->pw_dir;
  throw Error(ErrorKind::kUsage,
              "HOME: found nothing, and no home of user " + std::to_string(::getuid()) +
                  ", expected where this user's files lie. Set HOME, or CORTISCORE_HOME and "
                  "XDG_CACHE_HOME.");
}

std::string under(const char* xdg, const char* fallback) {
  const auto set = variable(xdg);
  return (set.empty() ? user_folder() + fallback : set) + "/cortiscore";
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
       fs::directory_iterator(set.empty() ? user_folder() + "/.brainio" : set, error)) {
    auto there = (folder.path() / name).string();
    if (fs::is_regular_file(there, error)) return there;
  }
  return {};
}

}  // namespace cortiscore
