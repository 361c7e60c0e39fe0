#include "src/core/linked_folders.h"

#include <algorithm>
#include <system_error>

namespace cortiscore {

namespace fs = std::filesystem;

namespace {

bool lies_below(const fs::path& inner, const fs::path& outer) {
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

}  // namespace

LinkedFolders::LinkedFolders(const fs::path& top) : top_(top) {
  std::error_code unknown;
  real_top_ = fs::canonical(top, unknown);
}

bool LinkedFolders::enter(const fs::path& folder) {
  std::error_code error;
  const auto real = fs::canonical(folder, error);
  if (error) return false;
  if (real == (real_top_ / folder.lexically_relative(top_)).lexically_normal()) return true;
  if (lies_below(real_top_, real)) return false;
  if (lies_below(real, real_top_)) {
    const auto name = real.lexically_relative(real_top_);
    // Hidden folders are not walked by their own names.
    if (std::none_of(name.begin(), name.end(),
                     [](const auto& part) { return part.string().starts_with('.'); }))
      return false;
  }
  return entered_.insert(real).second;
}

}  // namespace cortiscore
