#include "src/core/whole_file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "cortiscore/error.h"

namespace cortiscore {

void write_whole(const std::string& path, const std::function<void(std::ostream&)>& write) {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto kind = fs::status(path, error).type();
  const bool direct = kind != fs::file_type::regular && kind != fs::file_type::not_found;
  // Of a link, the file that it leads to is replaced.
  const auto place = kind == fs::file_type::regular ? fs::canonical(path, error).string() : path;
  // Short, for a name may be as long as the file system has them.
  static std::atomic<int> count{0};
  const auto beside = "." + std::to_string(::getpid()) + "." + std::to_string(count++) + ".partial";
  const auto partial = direct ? path : (fs::path(place).parent_path() / beside).string();
  errno = 0;
  try {
    // A file that may not be written to is not to be replaced either.
    if (kind == fs::file_type::regular && ::access(path.c_str(), W_OK) != 0)
      throw std::ios_base::failure("");
    std::ofstream file;
    file.exceptions(std::ios::badbit | std::ios::failbit);
    file.open(partial, std::ios::binary);
    write(file);
    file.close();
    if (!direct && ::rename(partial.c_str(), place.c_str()) != 0) throw std::ios_base::failure("");
  } catch (const std::ios_base::failure&) {
    const std::string why = errno ? std::strerror(errno) : "a write that failed";
    if (!direct) fs::remove(partial, error);
    throw bad_input({path, "", why, "room and permission to write", "Name another place"});
  } catch (...) {
    if (!direct) fs::remove(partial, error);
    throw;
  }
}

}  // namespace cortiscore
