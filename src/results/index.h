#pragma once
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "src/results/shard.h"

namespace cortiscore {

/// Which records of a store are wanted: SQLite GLOB patterns; empty: all.
struct RecordFilter {
  std::string model, benchmark, status;
};

/// Whether a name fits such a pattern.
bool fits(const std::string& name, const std::string& pattern);

/// A shard that does not end in a whole line, or holds damaged ones.
struct ShardDamage {
  std::string shard;
  int64_t torn_bytes = 0;
  std::vector<int64_t> damaged;  ///< offsets
};

/// Where a store's records are, in SQLite on this machine (cache_folder()), so that no scan is paid
/// twice. It holds nothing that the shards do not: it is brought up to date by reading what they
/// have grown by, made anew where it is missing, damaged or older than what it describes, and kept
/// in memory where it cannot be written.
class Index {
 public:
  explicit Index(std::string folder);
  ~Index();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  /// Reads what the shards have grown by since last time.
  void catch_up();

  /// The record of that key and status ok that came last, of that model where there is one.
  std::optional<RecordPlace> find(const std::string& key, const std::string& model);

  /// Key and model of every ok record.
  std::set<std::pair<std::string, std::string>> done();

  /// One record a key and model, sorted by model, benchmark and key: the last ok one, else the last
  /// failure; failures whose model and benchmark have an ok record since are left out.
  std::vector<RecordPlace> current(const RecordFilter& filter);

  /// As the shards are now.
  std::vector<ShardDamage> damage();

  /// A note about a file, valid while its stamp is the same; empty where there is none.
  std::string note(const std::string& file, const std::string& stamp);
  void set_note(const std::string& file, const std::string& stamp, const std::string& text);

  /// Removes the index of a folder that goes.
  static void forget(const std::string& folder);

  /// Forgets all records and reads the shards again.
  void rebuild();

 private:
  struct Database;
  void open(bool in_memory);
  // Whether the last record that is known of a shard is still where it was.
  bool ends_as_known(const std::string& shard);
  template <typename Body>
  auto guarded(Body body);

  std::string folder_, path_;
  std::unique_ptr<Database> database_;
};

}  // namespace cortiscore
