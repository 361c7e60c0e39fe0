#pragma once
#include <filesystem>
#include <set>

namespace cortiscore {

/// Which folders a walk below `top` enters: links lead to folders too (large files lie on other
/// disks), but each folder is entered once, by its own name where it has one below `top`, and no
/// link leads in a circle.
class LinkedFolders {
 public:
  explicit LinkedFolders(const std::filesystem::path& top);

  /// @param folder  below `top`, as the walk reached it
  bool enter(const std::filesystem::path& folder);

 private:
  std::filesystem::path top_, real_top_;
  std::set<std::filesystem::path> entered_;  // those that lie elsewhere
};

}  // namespace cortiscore
