#pragma once
#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cortiscore/error.h"

namespace cortiscore {

/// The store cannot be written: a run cannot go on, whatever pair it is at. Its exit code is bad
/// input's.
class StoreError : public Error {
 public:
  explicit StoreError(const Error& error) : Error(error) {}
};

/// CRC-32C (Castagnoli, as RFC 3720 and SSE4.2 have it) of `bytes`.
uint32_t crc32c(std::string_view bytes);

/// A line of a shard, itself JSON: {"crc32c":"0123abcd","record":RECORD} and a newline. The
/// checksum is RECORD's.
/// @param record  one JSON object without a newline
std::string shard_line(std::string_view record);

/// RECORD of a line without its newline; empty where the line is torn or damaged.
std::string_view record_of_line(std::string_view line);

/// Where a record lies.
struct RecordPlace {
  std::string shard;   ///< file name within the store
  int64_t offset = 0;  ///< of the line's first byte
  int64_t length = 0;  ///< of the line without its newline
};

/// The record's text; empty where the place does not describe the shard, which was changed by hand.
std::string read_record(const std::string& folder, const RecordPlace& place);

/// The same of one record after the other.
class RecordReader {
 public:
  explicit RecordReader(std::string folder) : folder_(std::move(folder)) {}
  /// Valid until the next call.
  std::string_view read(const RecordPlace& place);

 private:
  std::string folder_, name_, line_;
  std::ifstream shard_;
};

/// One process's own shard: records are appended to it and to no other, so that any number of
/// processes write to one store, on any file system, without a lock between them.
class ShardWriter {
 public:
  /// Touches nothing before the first append.
  explicit ShardWriter(std::string folder);
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  /// On disk (fdatasync) when this returns.
  /// @throws StoreError  it cannot be written (a full disk); the shard is cut back to its last
  ///                     whole line
  RecordPlace append(std::string_view record);

  /// The shard's file name; empty before the first append.
  const std::string& name() const { return name_; }

 private:
  void open();

  std::string folder_;
  std::string name_;
  int file_ = -1;
  int64_t size_ = 0;
};

/// What reading a shard found.
struct ShardScan {
  int64_t end = 0;         ///< first byte that is not part of a whole line
  int64_t torn_bytes = 0;  ///< behind it: a line that was being written when its writer stopped
  std::vector<int64_t> damaged;  ///< offsets of lines before the end whose checksum does not agree
};

/// Calls `each(offset, line length, record)` for every whole record of a shard behind byte `from`.
/// @throws Error(kBadInput)  the file cannot be read
ShardScan scan_shard(const std::string& path,
                     int64_t from,
                     const std::function<void(int64_t, int64_t, std::string_view)>& each);

/// Names of a store's shards in order of their making; none where there is no such folder.
std::vector<std::string> shards_of(const std::string& folder);

/// A shard that no living process of this machine writes to, held against any that would begin to.
class ShardLock {
 public:
  explicit ShardLock(const std::string& path);
  ~ShardLock();
  ShardLock(ShardLock&& other) noexcept;
  ShardLock& operator=(ShardLock&&) = delete;
  /// False where a process writes to it, and where the file system has no locks.
  bool held() const { return held_; }

 private:
  int file_;
  bool held_;
};

}  // namespace cortiscore
