#include "src/results/shard.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "src/data/arrays.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOpening = "{\"crc32c\":\"";
constexpr std::string_view kMiddle = "\",\"record\":";
constexpr size_t kChecksumDigits = 8;
constexpr size_t kPrefix = kOpening.size() + kChecksumDigits + kMiddle.size();

constexpr auto kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82F63B78U : 0U);
    table[i] = crc;
  }
  return table;
}();

uint32_t continued(uint32_t crc, std::string_view bytes) {
  for (const auto c : bytes) crc = kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  return crc;
}

#ifdef __x86_64__
// Every read of a store checks every byte: eight at a time are some twenty times as fast.
__attribute__((target("sse4.2"))) uint32_t continued_in_hardware(uint32_t crc,
                                                                 std::string_view bytes) {
  uint64_t state = crc;
  for (; bytes.size() >= sizeof state; bytes.remove_prefix(sizeof state)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    state = __builtin_ia32_crc32di(state, word);
  }
  return continued(static_cast<uint32_t>(state), bytes);
}
#endif

std::string hex(uint32_t value) {
  char text[kChecksumDigits + 1];
  std::snprintf(text, sizeof text, "%08x", value);
  return text;
}

StoreError cannot_write(const std::string& path, int error) {
  return StoreError(
      bad_input({path, "", std::strerror(error), "room and permission to write results",
                 "Free space or name another --results folder; what was reported as stored is "
                 "kept"}));
}

void sync_folder(const std::string& folder) {
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) throw cannot_write(folder, errno);
  const int error = ::fsync(handle) == 0 ? 0 : errno;
  ::close(handle);
  // Some network file systems do not sync folders; they order the creation themselves.
  if (error != 0 && error != EINVAL) throw cannot_write(folder, error);
}

// 20261125T011500.123456Z-HOST-PID.jsonl: sorts by the time of its making.
std::string shard_name() {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() %
      1000000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char stamp[32], text[64], host[64] = "";
  std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &parts);
  std::snprintf(text, sizeof text, "%s.%06lldZ", stamp, static_cast<long long>(micros));
  ::gethostname(host, sizeof host - 1);
  for (auto& c : host) {
    if (c == '/') c = '_';
  }
  return std::string(text) + "-" + host + "-" + std::to_string(::getpid()) + ".jsonl";
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
#ifdef __x86_64__
  static const bool in_hardware = __builtin_cpu_supports("sse4.2");
  if (in_hardware) return ~continued_in_hardware(~0U, bytes);
#endif
  return ~continued(~0U, bytes);
}

std::string shard_line(std::string_view record) {
  std::string line(kOpening);
  line += hex(crc32c(record));
  line += kMiddle;
  line += record;
  return line + "}\n";
}

std::string_view record_of_line(std::string_view line) {
  if (line.size() < kPrefix + 1 || !line.starts_with(kOpening) || !line.ends_with('}') ||
      line.substr(kOpening.size() + kChecksumDigits, kMiddle.size()) != kMiddle)
    return {};
  const auto record = line.substr(kPrefix, line.size() - kPrefix - 1);
  return line.substr(kOpening.size(), kChecksumDigits) == hex(crc32c(record)) ? record
                                                                              : std::string_view();
}

std::string read_record(const std::string& folder, const RecordPlace& place) {
  return std::string(RecordReader(folder).read(place));
}

std::string_view RecordReader::read(const RecordPlace& place) {
  if (place.shard != name_) {
    shard_ = std::ifstream(fs::path(folder_) / place.shard, std::ios::binary);
    name_ = place.shard;
  }
  line_.resize(static_cast<size_t>(place.length));
  shard_.clear();
  shard_.seekg(place.offset);
  shard_.read(line_.data(), place.length);
  return shard_ ? record_of_line(line_) : std::string_view();
}

ShardWriter::ShardWriter(std::string folder) : folder_(std::move(folder)) {}

ShardWriter::~ShardWriter() {
  if (file_ >= 0) ::close(file_);
}

void ShardWriter::open() {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw cannot_write(folder_, error.value());
  // Another name where `results gc` took the shard between its making and its locking.
  for (bool ours = false; !ours;) {
    if (file_ >= 0) ::close(file_);
    const auto name = shard_name();
    const auto path = (fs::path(folder_) / name).string();
    file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (file_ < 0 && errno == EEXIST) continue;
    if (file_ < 0) throw cannot_write(path, errno);
    name_ = name;
    size_ = 0;
    // A file system without locks has no gc either: it takes no shard that it cannot lock.
    const bool taken = ::flock(file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ours = !taken && fs::exists(path, error);
    if (taken) ::unlink(path.c_str());
  }
  sync_folder(folder_);
}

RecordPlace ShardWriter::append(std::string_view record) {
  if (file_ < 0) open();
  const auto line = shard_line(record);
  size_t written = 0;
  int error = 0;
  while (written < line.size() && error == 0) {
    const auto n = ::write(file_, line.data() + written, line.size() - written);
    if (n <= 0)
      error = n == 0 ? EIO : errno == EINTR ? 0 : errno;
    else
      written += static_cast<size_t>(n);
  }
  if (error == 0 && ::fdatasync(file_) != 0) error = errno;
  if (error != 0) {
    // A line that was not promised must not be found later; if even cutting fails, a new shard
    // takes what follows.
    if (::ftruncate(file_, size_) != 0) {
      ::close(file_);
      file_ = -1;
    }
    throw cannot_write((fs::path(folder_) / name_).string(), error);
  }
  RecordPlace place{name_, size_, static_cast<int64_t>(line.size()) - 1};
  size_ += static_cast<int64_t>(line.size());
  return place;
}

ShardScan scan_shard(const std::string& path,
                     int64_t from,
                     const std::function<void(int64_t, int64_t, std::string_view)>& each) {
  const auto text = read_file(path, from);
  ShardScan scan{from, 0, {}};
  size_t begin = 0;
  std::vector<int64_t> suspect;  // damaged, unless nothing good follows: then torn
  while (begin < text.size()) {
    const auto newline = text.find('\n', begin);
    if (newline == std::string::npos) break;
    const auto record = record_of_line({text.data() + begin, newline - begin});
    const auto offset = from + static_cast<int64_t>(begin);
    if (record.empty()) {
      suspect.push_back(offset);
    } else {
      each(offset, static_cast<int64_t>(newline - begin), record);
      scan.damaged.insert(scan.damaged.end(), suspect.begin(), suspect.end());
      suspect.clear();
      scan.end = from + static_cast<int64_t>(newline) + 1;
    }
    begin = newline + 1;
  }
  scan.torn_bytes = from + static_cast<int64_t>(text.size()) - scan.end;
  return scan;
}

std::vector<std::string> shards_of(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  // Nothing was written to a folder that is not there; of one that cannot be listed nobody knows.
  if (error && error != std::errc::no_such_file_or_directory) {
    throw bad_input({folder, "", error.message(), "a folder of results that can be listed",
                     "Check the path and its permissions"});
  }
  for (const auto& entry : entries) {
    if (entry.path().extension() == ".jsonl") names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

ShardLock::ShardLock(const std::string& path)
    : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
      held_(file_ >= 0 && ::flock(file_, LOCK_EX | LOCK_NB) == 0) {}

ShardLock::ShardLock(ShardLock&& other) noexcept
    : file_(std::exchange(other.file_, -1)), held_(other.held_) {}

ShardLock::~ShardLock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace cortiscore
