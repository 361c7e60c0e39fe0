#pragma once
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "src/results/index.h"
#include "src/results/json.h"

namespace cortiscore {

/// Canonical form: sorted keys, shortest round-trip numbers, no NaN, bytes that are not UTF-8
/// replaced.
std::string canonical(const Json& record);

/// A record without what differs between two runs of the same work: timing_ms, peak_bytes, start,
/// end, run.
Json reproducible(Json record);

/// Results of one folder: append-only shards, one a writing process, and an index of them
/// (docs/formats.md).
///
/// A record is durable when append() returns. Any number of processes may write to one folder at
/// once. Readers see one record a key and model: the last that is ok, else the last failure.
class Store {
 public:
  explicit Store(std::string folder);

  const std::string& folder() const { return folder_; }

  /// The stored record with this key and status ok, also another process's; of that model where
  /// there is one (the key is of contents: a copy under another name has the same).
  std::optional<Json> find(const std::string& key, const std::string& model);

  /// Key and model of every ok record.
  std::set<std::pair<std::string, std::string>> done();

  /// What was noted about a file on this machine, while its stamp (size, times) is the same; empty
  /// where nothing was.
  std::string note(const std::string& file, const std::string& stamp) {
    return index_.note(file, stamp);
  }
  void set_note(const std::string& file, const std::string& stamp, const std::string& text) {
    index_.set_note(file, stamp, text);
  }

  /// @throws StoreError  it cannot be written; nothing that was stored before is lost
  void append(const Json& record);

  /// Calls `each` for every current record, sorted by model, benchmark and key. Where it finds a
  /// record without what every verb needs (key, status, network, benchmark, a score), or of odd
  /// types, by the exception that Json throws, that record is named on stderr, once, and left out.
  void each(const RecordFilter& filter, const std::function<void(const Json&)>& each);

  /// Torn and damaged lines, each as a sentence.
  std::vector<std::string> damage();

  struct Merged {
    int64_t taken = 0;    ///< records that were not here
    int64_t present = 0;  ///< records that were
  };
  /// Appends the current records of another store; whatever is here already is left.
  /// @throws Error(kBadInput)  no store there
  Merged merge(const std::string& other);

  struct Collected {
    int64_t kept = 0;     ///< current records, now in one shard
    int64_t dropped = 0;  ///< superseded ones
    int64_t shards = 0;   ///< shards removed
    int64_t living = 0;   ///< shards left alone: a process of this machine writes to them
  };
  /// Writes the current records of shards that nobody writes to into one new shard, syncs it, and
  /// removes those.
  /// @throws Error(kBadInput)  a shard holds damaged lines: they are reported, not dropped
  Collected gc();

 private:
  // One round of gc() over as many shards as a process has descriptors for.
  Collected collect(std::set<std::string>& left_alone);

  std::string folder_;
  Index index_;
  ShardWriter writer_;
  std::set<std::string> odd_;  // sentences about records that were left out
};

/// The store in a folder. @throws Error(kBadInput)  no such folder
Store open_store(const std::string& folder);

}  // namespace cortiscore
