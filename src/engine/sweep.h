#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "src/engine/score_network.h"
#include "src/results/store.h"

namespace cortiscore {

/// A network to score: an archive, activations, or weights for the graph of an archive.
struct Checkpoint {
  std::string path;        ///< .pt2, activations (.npy, .nc), or with `graph` a weight file
  std::string graph;       ///< .pt2 whose graph runs the weights; empty: `path` is a network itself
  std::string identifier;  ///< what records carry; empty: what the file says
  Json tags = Json::object();  ///< of the checkpoint table's other columns; kept in the record
  std::string prefix = {};     ///< beginning of the names in a weight file that are meant
  bool named = false;          ///< the identifier is the user's own
  std::string variable = {};   ///< which array, of a file of activations that holds several
};

/// Paths, patterns as a shell expands them, and folders (checkpoint_files), in the order given and
/// natural order within.
/// @param notes  what was found in folders, in words, is added
/// @throws Error(kBadInput)  a pattern that matches nothing
std::vector<Checkpoint> expand(const std::vector<std::string>& patterns,
                               const std::string& graph,
                               std::vector<std::string>& notes);

/// Gives checkpoints that records would call the same the parts of their paths that differ
/// (distinct_names); a stem stays where stems differ. With a prefix, that is part of the name. The
/// same file twice is once.
/// @throws Error(kBadInput)  two files that would still share a name
void name_checkpoints(std::vector<Checkpoint>& checkpoints);

/// A CSV with a column `model`, optionally `weights` and `identifier`; all other columns become
/// tags. Paths are relative to the table. @throws Error(kBadInput)
std::vector<Checkpoint> read_checkpoint_table(const std::string& path);

struct SweepOptions {
  int64_t limit = 0;         ///< pairs scored at most in this run; 0: all
  int64_t max_failures = 0;  ///< failures after which it stops; 0: never
  int64_t shard = 0, shards = 1;
  bool again = false;
};

/// Stored: done before, or by another process.
enum class PairEnd { kScored, kFailed, kStored };

/// Where a sweep stands; pairs are counted within its shard.
struct SweepState {
  int64_t pairs = 0;
  int64_t stored = 0;  ///< done before this run, or by another process
  int64_t scored = 0;
  int64_t failed = 0;
  bool limited = false;  ///< stopped by limit or max_failures

  void count(PairEnd end);
  bool spent(const SweepOptions& options) const {
    return (options.limit > 0 && scored + failed >= options.limit) ||
           (options.max_failures > 0 && failed >= options.max_failures);
  }
};

/// A checkpoint and those of the benchmarks that are still to be scored, by index.
struct SweepItem {
  Checkpoint checkpoint;
  std::vector<size_t> benchmarks;
};

/// What the store lacks of this shard, checkpoints in the order given. Counts pairs and stored ones
/// in `state`.
std::vector<SweepItem> items_left(const std::vector<Checkpoint>& checkpoints,
                                  const Benchmarks& benchmarks,
                                  Workbench& workbench,
                                  Store& store,
                                  const SweepOptions& options,
                                  SweepState& state);

/// Scores items one after the other, each pair once; failures are recorded and the others go on.
/// The next checkpoint's weights load while the present one is scored; checkpoints that share a
/// graph share it, and all that depends on recordings and stimuli alone is made once (Workbench).
/// @param next  the next item, nothing when there is none or when its token says that no more will
///              be taken; called from one thread at a time, while another item is scored
/// @param begins  told which pair is about to be scored, or taken from the store
/// @param each  told how every pair ended as soon as that is durable, with its record
/// @throws Stopped  by a signal: the pair in hand is dropped, all before it are stored
void score_items(const std::function<std::optional<SweepItem>(const std::stop_token&)>& next,
                 const Benchmarks& benchmarks,
                 Workbench& workbench,
                 Store& store,
                 bool again,
                 const std::function<void(PairEnd, const Json&)>& each,
                 const std::function<void(const Candidate&, const Benchmark&)>& begins = {});

/// Records that a pair failed, under the best name that is known for it.
/// @param candidate  the network, if it opened
/// @returns the record, durable
Json record_failure(const SweepItem& item,
                    const Benchmark& benchmark,
                    const Candidate* candidate,
                    const Failure& failure,
                    Store& store);

/// The record of a pair, if the store has one that is ok, as far as that is known without opening
/// the checkpoint.
std::optional<Json> stored_record(const Checkpoint& checkpoint,
                                  const Benchmark& benchmark,
                                  Workbench& workbench,
                                  Store& store);

/// What a record calls a checkpoint that did not open: its identifier, else its file's stem.
std::string unopened_name(const Checkpoint& checkpoint);

/// What a sweep would do, without doing it: pairs in order, and what the store says of the time of
/// such pairs.
struct SweepPlan {
  SweepState state;
  std::vector<std::pair<std::string, std::string>> pairs;  ///< checkpoint's path, benchmark
  double seconds = 0;  ///< expected of those pairs; NaN where the store holds none like them
  int64_t stimulus_bytes =
      0;  ///< decoded stimuli of the first checkpoint's input size, kept through the sweep
  /// Of the first checkpoint, at most at a time: micro-batches under way, activations and what
  /// becomes of them. Without benchmarks that show what they find they need (V1 properties,
  /// thresholds).
  int64_t planned_bytes = 0;
  int64_t spilled_bytes = 0;   ///< on disk
  int64_t forward_passes = 0;  ///< of a checkpoint, over all sets of stimuli
};
SweepPlan plan_sweep(const std::vector<Checkpoint>& checkpoints,
                     const Benchmarks& benchmarks,
                     Workbench& workbench,
                     Store& store,
                     const SweepOptions& options);

}  // namespace cortiscore
