#include "src/data/room.h"

#include <cstdio>
#include <cstdlib>

#include "cortiscore/error.h"
#include "src/core/host.h"

namespace cortiscore {
namespace {

constexpr int64_t kAlways = int64_t{64} << 20;  // no question below this

std::string gib(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g GiB", static_cast<double>(bytes) / (1 << 30));
  return text;
}

}  // namespace

int64_t bytes_of(const std::vector<int64_t>& shape,
                 int64_t width,
                 const std::string& path,
                 const std::string& field) {
  int64_t bytes = width;
  std::string text;
  bool none = false, beyond = false;
  for (const auto n : shape) {
    text += (text.empty() ? "" : " x ") + std::to_string(n);
    none = none || n == 0;
    beyond = beyond || __builtin_mul_overflow(bytes, n, &bytes);
  }
  if (none) return 0;
  if (beyond)
    throw bad_input({path, field, text + " values", "fewer than a computer can count to",
                     "The file may be damaged: fetch or write it again"});
  return bytes;
}

void check_room(int64_t bytes, const std::string& path, const std::string& field) {
  if (bytes <= kAlways) return;
  const char* const set = std::getenv("CORTISCORE_FILE_GIB");
  char* end = nullptr;
  const double asked = set ? std::strtod(set, &end) : 0;
  const bool limited = set && end != set && *end == '\0' && asked > 0;
  const double most = limited ? asked * (1 << 30) : static_cast<double>(available_bytes());
  if (static_cast<double>(bytes) <= most) return;
  throw Error(ErrorKind::kOutOfMemory,
              path + ": " + field + ": found " + gib(bytes) + " once read, expected at most " +
                  gib(static_cast<int64_t>(most)) +
                  (limited ? " (CORTISCORE_FILE_GIB). Raise it, or save a part of the array."
                           : ", which is free here. Free memory, or save a part of the array."));
}

}  // namespace cortiscore
