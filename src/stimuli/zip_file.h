#pragma once
#include <mutex>
#include <string>
#include <vector>

struct zip;

namespace cortiscore {

/// A zip archive, open for reading. Safe from several threads.
class ZipFile {
 public:
  /// @throws Error(kBadInput)  no zip archive
  explicit ZipFile(const std::string& path);
  ZipFile(const ZipFile&) = delete;
  ZipFile& operator=(const ZipFile&) = delete;
  ~ZipFile();

  const std::string& path() const { return path_; }
  /// Of every entry that is a file, in the archive's order.
  std::vector<std::string> names() const;
  bool holds(const std::string& name) const;
  /// @throws Error(kBadInput)  no such entry, or a damaged one
  std::string read(const std::string& name);

 private:
  std::string path_;
  zip* zip_ = nullptr;
  std::mutex mutex_;
};

}  // namespace cortiscore
