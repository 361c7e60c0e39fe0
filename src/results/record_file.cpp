#include "src/results/record_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "cortiscore/error.h"
#include "src/data/arrays.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

fs::path record_path(const std::string& folder,
                     const std::string& network,
                     const std::string& benchmark) {
  const auto safe = [](std::string name) {
    for (auto& c : name) {
      if (c == '/') c = '_';
    }
    return name;
  };
  return fs::path(folder) / safe(network) / (safe(benchmark) + ".json");
}

Error cannot_write(const fs::path& path, int error) {
  return bad_input(
      {path.string(), "", std::strerror(error), "room and permission to write a record",
       "Free space or name another --results folder; records written before are kept"});
}

void write_synced(const fs::path& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) throw cannot_write(path, errno);
  size_t written = 0;
  int error = 0;
  while (written < text.size() && error == 0) {
    const auto n = ::write(file, text.data() + written, text.size() - written);
    if (n < 0)
      error = errno == EINTR ? 0 : errno;
    else
      written += static_cast<size_t>(n);
  }
  if (error == 0 && ::fsync(file) != 0) error = errno;
  if (::close(file) != 0 && error == 0) error = errno;
  if (error != 0) {
    ::unlink(path.c_str());
    throw cannot_write(path, error);
  }
}

void sync_folder(const fs::path& folder) {
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return;
  ::fsync(handle);
  ::close(handle);
}

}  // namespace

std::string canonical(const Json& record) {
  return record.dump();
}

std::string store_record(const std::string& folder, const Json& record) {
  const auto path =
      record_path(folder, record.at("model_identifier"), record.at("benchmark_identifier"));
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) throw cannot_write(path.parent_path(), error.value());
  const auto partial = path.string() + ".partial." + std::to_string(::getpid());
  write_synced(partial, record.dump(1) + "\n");
  if (::rename(partial.c_str(), path.c_str()) != 0) throw cannot_write(path, errno);
  sync_folder(path.parent_path());
  return path.string();
}

std::optional<Json> stored_record(const std::string& folder,
                                  const std::string& network,
                                  const std::string& benchmark,
                                  const std::string& key) {
  const auto path = record_path(folder, network, benchmark);
  if (!fs::is_regular_file(path)) return std::nullopt;
  auto record = Json::parse(read_file(path.string()), nullptr, false);
  if (record.is_discarded() || record.value("key", "") != key || record.value("status", "") != "ok")
    return std::nullopt;
  return record;
}

}  // namespace cortiscore
