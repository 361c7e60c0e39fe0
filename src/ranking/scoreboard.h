#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "src/benchmark/tree.h"
#include "src/ranking/kept.h"
#include "src/results/store.h"

namespace cortiscore {

/// What a network has on a benchmark.
enum class Standing {
  kMissing,      ///< no record
  kOk,           ///< a score
  kUndefined,    ///< a record that is ok and has no number
  kFailed,       ///< a record of a failure, and no score
  kImported,     ///< a published score, taken over from a table
  kOtherEdition  ///< scores of another version, convention or recording than the board's
};

/// "missing", "ok", "undefined", "failed", "imported", "other edition".
std::string name_of(Standing standing);

/// One network on one benchmark.
struct BoardCell {
  Standing standing = Standing::kMissing;
  LeafScore score;           ///< of the tree's leaves, raw or ceiled; NaN where there is none
  double lo = 0, hi = 0;     ///< the interval that the record states of it; NaN where there is none
  Kept draws;                ///< of that score
  double raw = 0;            ///< the raw score; NaN where there is none
  bool pooled = false;       ///< whether it is of one population of neuroids
  bool halves = false;       ///< whether layers competed on halves of the presentations
  bool within_null = false;  ///< whether luck reaches the raw score: null in the record
  std::string over;          ///< what the record says that intervals resample
  Kept neuroids;             ///< of the raw score, split by split
  std::string key;           ///< of the record
  std::string end;           ///< when it ended, UTC
};

struct BoardNetwork {
  std::string name;
  std::string run;                           ///< of a training, by its tag; empty
  std::string step;                          ///< likewise
  std::string graph_sha256, weights_sha256;  ///< of what its records scored; empty: none says it
  std::map<std::string, BoardCell> cells;    ///< by benchmark

  const BoardCell* find(const std::string& benchmark) const;
  /// Whether it was scored on the benchmark, or has a published score of it. A failure and an
  /// undefined score are outcomes: they count as zero because of the network, not because nobody
  /// looked.
  bool was_scored(const std::string& benchmark) const;
  /// What the tree's leaves are.
  std::map<std::string, LeafScore> scores() const;
};

/// Networks side by side: on every benchmark scores of one edition (version, ceiling convention and
/// recordings), so that no two of them were measured differently.
struct Scoreboard {
  Tree tree;  ///< with the benchmarks that some network has a record of
  std::vector<std::string> benchmarks;
  std::vector<BoardNetwork> networks;  ///< by name
  std::vector<std::string> notes;      ///< what was left out, a sentence each
};

/// Which records of a store are looked at.
struct BoardFilter {
  RecordFilter records;
  std::string region, species;  ///< of the benchmark; empty: all
  bool public_only = false;     ///< benchmarks that anyone can have
  std::string since;            ///< records that ended then or later: 2026-11-30, or with a time
  std::map<std::string, std::string> tags;  ///< that records carry
  std::string convention;                   ///< how raw and ceiling became ceiled; empty: any one
  /// Networks of which scores a neuroid are wanted: they are ten times as long as all else.
  std::set<std::string> neuroids_of;
  bool runs_apart = false;  ///< a row a network and run (tag), of records that have one
};

/// The networks of a store. Of several records of one network and benchmark the one that ended last
/// counts, scores before published ones and those before failures; of several editions of a
/// benchmark the one that most networks have, among equals the newest. Of several networks under
/// one name (other graphs, weights or preprocessing, or activations) the one that was scored last,
/// or failed last, on whatever benchmark, and it is noted. Leaves are the benchmarks that some
/// network of the store has a score on, or failed at, whichever networks are asked for: the filter
/// by network chooses rows and changes no score. Simulated benchmarks count only where there are no
/// others.
/// @param manifests  every benchmark that is known
/// @throws Error(kBadInput)  no record of a benchmark of the tree
Scoreboard read_board(Store& store,
                      const BoardFilter& filter,
                      const Tree& tree,
                      const std::vector<Manifest>& manifests);

/// Networks of a published table: column `model`, and of the tree's leaves the columns or the
/// benchmarks' own names; leaves are those that the tree names and
/// those that have a column. `X` and what is missing are no
/// scores.
/// @throws Error(kBadInput)  no column model, no row, a model twice, no column of a leaf, or two of
///   one; a cell that is no number, or beyond 2 (per cent)
Scoreboard board_of_table(const std::string& path,
                          const Tree& tree,
                          const std::vector<Manifest>& manifests);

/// A record as a leaf of the tree: its score with the standard deviation of its error.
LeafScore leaf_of(const Json& record, const Tree& tree);

/// That, and what else a board keeps of a record.
BoardCell cell_of(const Json& record, const Tree& tree);

/// What stands in a table where a network has no score on a benchmark: "X" for a failure, as the
/// platform writes it, "undef." for a score that is undefined, "other" for another edition, else
/// "-".
std::string mark_without_score(const BoardNetwork& network, const std::string& benchmark);

/// The benchmarks of a tree's leaves.
std::vector<std::string> leaves_of(const Tree& tree);

/// The record's own n draws, NaN where one is not finite; empty where it has others, or fewer than
/// two that say anything.
/// @param why  set where they are empty, to stand behind "the record"
std::vector<double> own_draws(const BoardCell& cell, size_t n, std::string& why);

/// The draws of a network's leaves, [n] by benchmark: those of its records, and for a score that
/// has an error without draws n of a normal distribution, which depend on the two names alone.
/// Scores whose error is unknown have none.
/// @param unpaired  of leaves whose draws are not their record's n: why
std::map<std::string, std::vector<double>> leaf_draws(const BoardNetwork& network,
                                                      size_t n,
                                                      std::map<std::string, std::string>& unpaired);

/// How many draws most records of these networks have, the larger number among equals; 1000 where
/// none has any.
size_t usual_draws(const std::vector<const BoardNetwork*>& networks);

}  // namespace cortiscore
