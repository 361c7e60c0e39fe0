#include "src/ranking/scoreboard.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <tuple>
#include <utility>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/core/printable.h"
#include "src/core/random.h"
#include "src/data/arrays.h"
#include "src/data/number_text.h"
#include "src/data/table.h"
#include "src/results/columns.h"
#include "src/score/interval.h"

namespace cortiscore {
namespace {

double number_of(const Json& object, const char* key) {
  const auto& value = object.at(key);
  return value.is_null() ? std::nan("") : value.get<double>();
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Standing standing_of(const Json& record) {
  const auto status = text_of(record, "status");
  if (status == "ok") return Standing::kOk;
  return status == "imported" ? Standing::kImported : Standing::kFailed;
}

// A score before a published one, that before a failure.
int worth(const BoardCell& cell) {
  switch (cell.standing) {
    case Standing::kOk:
    case Standing::kUndefined:
      return 3;
    case Standing::kImported:
      return std::isnan(cell.score.value) ? 0 : 2;  // of another kind of tree
    case Standing::kFailed:
      return 1;
    case Standing::kMissing:
    case Standing::kOtherEdition:
      break;
  }
  return 0;
}

// Whether a record scored it here, whatever came out.
bool is_scored(const BoardCell& cell) {
  return cell.standing == Standing::kOk || cell.standing == Standing::kUndefined;
}

// What must agree for two records of one name to be of one network; empty where a record does not
// say it: a published score, a file that could not be opened. Activations are a file a benchmark,
// and all alike.
std::string variant_of(const Json& record) {
  const auto graph = text_of(record, "graph_sha256");
  if (graph.empty()) return text_of(record, "weights_sha256").empty() ? "" : "activations";
  const auto shown = record.value("preprocessing", Json());
  std::string text = graph + " " + text_of(record, "weights_sha256");
  if (!shown.is_object()) return text;
  for (const auto* name : {"size", "mean", "std"}) text += " " + shown.value(name, Json()).dump();
  const auto placed = shown.value("placement", Json());
  return text + " " + (placed.is_object() ? placed.value("model_degrees", Json()).dump() : "");
}

// What must agree for two scores to stand side by side.
std::string edition_of(const Json& record) {
  const auto convention = record.at("score").at("ceiling_convention");
  return "version " + record.value("benchmark_version", Json()).dump() + ", " +
         (convention.is_null() ? "no ceiling" : convention.get<std::string>()) + ", recordings " +
         sha256_of(record.value("data_sha256", Json()).dump()).substr(0, 12);
}

bool has_tags(const Json& record, const std::map<std::string, std::string>& wanted) {
  const auto tags = record.value("tags", Json::object());
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& tag) {
    return text_of(tags, tag.first.c_str()) == tag.second;
  });
}

class Reader {
 public:
  Reader(const BoardFilter& filter, const Tree& tree, const std::vector<Manifest>& manifests)
      : filter_(filter), tree_(tree), since_(filter.since.substr(0, filter.since.find('Z'))) {
    for (const auto& manifest : manifests) manifests_.emplace(manifest.identifier, manifest);
  }

  void read(Store& store) {
    store.each({}, [&](const Json& record) {
      if (wanted(record)) take(record);
    });
    rows_read_ = rows_.size();
    for (auto& [name, row] : rows_) choose_variant(row);
    choose_editions();
    for (auto& [name, row] : rows_) {
      if (!row.shown || row.found.empty()) continue;
      for (auto& [benchmark, found] : row.found) choose(row.network, benchmark, found);
      networks_.push_back(std::move(row.network));
    }
    rows_.clear();
    if (!filter_.convention.empty() && editions_.empty() && !seen_.empty()) {
      throw bad_input({store.folder(), "--convention", shown(filter_.convention),
                       "one that some score here has: " + conventions_here(),
                       "Leave --convention away"});
    }
    if (!networks_.empty()) return;
    if (filter_.runs_apart && rows_read_ == 0) {
      throw bad_input({store.folder(), "tag run", "no result that has one",
                       "those of two trainings",
                       "A Probe writes it (docs/training.md), or `sweep --checkpoint-table` with "
                       "the columns run and step"});
    }
    int64_t n = 0;
    std::string unknown;
    store.each({}, [&](const Json& record) {
      const auto benchmark = text_of(record, "benchmark_identifier");
      ++n;
      if (!manifests_.contains(benchmark)) unknown = benchmark;
    });
    if (n == 0)
      throw bad_input({store.folder(), "results", "none", "those of at least one network",
                       "Score networks first"});
    throw bad_input(
        {store.folder(), "results",
         std::to_string(n) + ", none that the filters leave" +
             (unknown.empty()
                  ? ""
                  : " (some are of benchmarks that are not known here, as " + shown(unknown) + ")"),
         "at least one",
         "Look at --network, --benchmark, --region, --species, --public, --since, "
         "--tag and --convention, or at `cortiscore results show`"});
  }

  Scoreboard board(const std::string& folder) {
    std::vector<Manifest> real, simulated;
    for (const auto& name : seen_) {
      const auto& manifest = manifests_.at(name);
      (manifest.simulated ? simulated : real).push_back(manifest);
    }
    Scoreboard board;
    board.tree = with_benchmarks(tree_, real.empty() ? simulated : real);
    board.benchmarks = leaves_of(board.tree);
    if (std::none_of(board.benchmarks.begin(), board.benchmarks.end(),
                     [&](const auto& leaf) { return seen_.contains(leaf); })) {
      throw bad_input({folder, "benchmarks",
                       seen_.empty()
                           ? "published scores that tree " + tree_.identifier + " has no use for"
                           : std::to_string(seen_.size()) + ", none of tree " + tree_.identifier,
                       "results of at least one",
                       "Score networks first, or choose another --tree: for published scores the "
                       "one that they were imported by"});
    }
    board.networks = std::move(networks_);
    note_contradictions(board);
    note_other_weights(board);
    note_missing(board);
    note_undefined(board);
    note_several_scores(board);
    note_halves(board);
    part_intervals(board);
    note_nulls(board);
    for (const auto& [benchmark, editions] : editions_) {
      if (editions.size() < 2) continue;
      const auto aside =
          std::count_if(board.networks.begin(), board.networks.end(), [&](const auto& network) {
            const auto* cell = network.find(benchmark);
            return cell && cell->standing == Standing::kOtherEdition;
          });
      board.notes.push_back(printable(benchmark) + " was scored in " +
                            std::to_string(editions.size()) + " editions: ranked is " +
                            chosen_.at(benchmark) + "; " + std::to_string(aside) +
                            " networks that have only another lack a score on it");
    }
    return board;
  }

 private:
  // What a record keeps and contradicts the rest of it is not used, and named.
  static void note_contradictions(Scoreboard& board) {
    std::string first;
    int64_t n = 0;
    for (const auto& network : board.networks) {
      for (const auto& [benchmark, cell] : network.cells) {
        const auto* const kept = cell.draws.wrong      ? &cell.draws
                                 : cell.neuroids.wrong ? &cell.neuroids
                                                       : nullptr;
        if (!kept) continue;
        ++n;
        if (first.empty())
          first = "the record of " + shown(network.name) + " on " + benchmark + " " + kept->why;
      }
    }
    if (n == 0) return;
    board.notes.push_back(first +
                          (n > 1 ? ", and " + std::to_string(n - 1) + " more like it" : "") +
                          "; these numbers are left out. `score --again` makes them anew");
  }

  void note_other_weights(Scoreboard& board) const {
    if (several_.empty()) return;
    const auto more = several_.size() - 1;
    board.notes.push_back(
        "results of several networks (other weights, graph or preprocessing, or activations) stand "
        "under the name " +
        shown(several_.front()) + (more ? " (and " + std::to_string(more) + " names more)" : "") +
        ": ranked is the one that was scored last, " + std::to_string(n_others_) +
        " results of others are left out. Keep trainings in stores of their own, or give their "
        "checkpoints names");
  }

  // The same network by another layer, choice, precision or number of draws.
  void note_several_scores(Scoreboard& board) const {
    if (several_scores_.empty()) return;
    const auto more = several_scores_.size() - 1;
    board.notes.push_back("several scores are here of " + several_scores_.front() +
                          (more ? " and " + std::to_string(more) + " more" : "") +
                          " (by other layers, choices of them, precision or draws): ranked is the "
                          "one that was made last. `score --again` makes one the last");
  }

  // An undefined score counts as zero where one that was never taken would, and is the network's.
  static void note_undefined(Scoreboard& board) {
    std::string first;
    int64_t n = 0;
    for (const auto& network : board.networks) {
      for (const auto& benchmark : board.benchmarks) {
        const auto* cell = network.find(benchmark);
        if (!cell || cell->standing != Standing::kUndefined) continue;
        if (++n == 1) first = shown(network.name) + " on " + benchmark;
      }
    }
    if (n == 0) return;
    board.notes.push_back("the score of " + first +
                          (n > 1 ? " and " + std::to_string(n - 1) + " more are" : " is") +
                          " undefined (undef.): its record says why" +
                          (board.tree.missing == Tree::Missing::kZero
                               ? ". It counts as zero in " + board.tree.identifier
                               : ""));
  }

  // What was never taken counts as zero, which looks like a bad network.
  static void note_missing(Scoreboard& board) {
    if (board.tree.missing != Tree::Missing::kZero) return;
    std::map<std::string, size_t> lack;
    size_t networks = 0;
    for (const auto& network : board.networks) {
      bool any = false;
      for (const auto& benchmark : board.benchmarks) {
        if (network.was_scored(benchmark)) continue;
        any = true;
        ++lack[benchmark];
      }
      networks += any ? 1 : 0;
    }
    if (lack.empty()) return;
    const auto most = std::max_element(
        lack.begin(), lack.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    board.notes.push_back(
        std::to_string(networks) + " of " + std::to_string(board.networks.size()) +
        " networks have no score on some of the " + std::to_string(board.benchmarks.size()) +
        " benchmarks of " + board.tree.identifier + ", which counts as zero in it: most often " +
        most->first + " (" + std::to_string(most->second) + ")");
  }

  // A map of half of the presentations reaches less than one of all.
  static void note_halves(Scoreboard& board) {
    std::string first;
    size_t halves = 0, benchmarks = 0;
    for (const auto& benchmark : board.benchmarks) {
      size_t own = 0, others = 0;
      for (const auto& network : board.networks) {
        const auto* cell = network.find(benchmark);
        if (!cell || cell->standing != Standing::kOk) continue;
        ++(cell->halves ? own : others);
      }
      if (own == 0 || others == 0) continue;
      if (first.empty()) first = benchmark;
      ++benchmarks;
      halves += own;
    }
    if (benchmarks == 0) return;
    board.notes.push_back(
        std::to_string(halves) + (halves == 1 ? " score" : " scores") + " on " + first +
        (benchmarks > 1 ? " and " + std::to_string(benchmarks - 1) + " other benchmarks" : "") +
        (halves == 1 ? " is" : " are") +
        " of layers that competed on alternating halves, whose maps had half of the "
        "presentations; others' had all");
  }

  // An interval over neuroids alone is narrower than one over presentations as well.
  static void part_intervals(Scoreboard& board) {
    for (const auto& benchmark : board.benchmarks) {
      std::map<std::string, size_t> n;
      for (const auto& network : board.networks) {
        const auto* cell = network.find(benchmark);
        if (cell && cell->standing == Standing::kOk && !cell->over.empty()) ++n[cell->over];
      }
      if (n.size() < 2) continue;
      // Draws of another kind are not of the same neuroids and presentations.
      const auto usual = std::max_element(
          n.begin(), n.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
      for (auto& network : board.networks) {
        const auto found = network.cells.find(benchmark);
        if (found == network.cells.end() || found->second.over.empty()) continue;
        auto& cell = found->second;
        if (cell.over != usual->first && cell.draws.why.empty())
          cell.draws = {{}, 0, "keeps draws over " + cell.over + ", others over " + usual->first};
      }
      std::string all;
      for (const auto& [over, networks] : n)
        all += (all.empty() ? "" : ", ") + std::to_string(networks) + " over " + printable(over);
      board.notes.push_back("intervals on " + benchmark + " are not of one kind: " + all +
                            ". Score with one --over what is to be compared");
    }
  }

  static void note_nulls(Scoreboard& board) {
    size_t n = 0;
    std::string first;
    for (const auto& network : board.networks) {
      for (const auto& benchmark : board.benchmarks) {
        const auto* cell = network.find(benchmark);
        if (!cell || cell->standing != Standing::kOk || !cell->within_null) continue;
        if (n++ == 0) first = shown(network.name) + " on " + benchmark;
      }
    }
    if (n == 0) return;
    board.notes.push_back(
        (n == 1 ? "the score of " + first + " is" : std::to_string(n) + " scores are") +
        " reached by luck in more than one draw of twenty (~ in --columns benchmarks; null in the "
        "record)");
  }

  struct Found {
    BoardCell cell;
    std::string edition, variant;
    bool of_convention = false;
  };

  // One of the networks under a name.
  struct Variant {
    std::string last;       // when something of it was scored, or failed
    std::string run, step;  // tags
    std::string graph, weights;
  };

  struct Row {
    BoardNetwork network;
    bool shown = false;  // the filter by network asks for it
    std::map<std::string, Variant> variants;
    std::map<std::string, std::vector<Found>> found;  // by benchmark
  };

  struct Edition {
    std::set<std::string> networks;
    std::string newest;
  };

  bool wanted(const Json& record) const {
    return manifests_.contains(text_of(record, "benchmark_identifier")) &&
           text_of(record, "end") >= since_ && has_tags(record, filter_.tags);
  }

  // Of the benchmarks that are asked for. What else was scored says which network a name means.
  bool in_view(const std::string& benchmark) const {
    const auto& manifest = manifests_.at(benchmark);
    return fits(benchmark, filter_.records.benchmark) &&
           (filter_.region.empty() || manifest.region == filter_.region) &&
           (filter_.species.empty() || manifest.species == filter_.species) &&
           (!filter_.public_only || manifest.access == "public");
  }

  bool of_convention(const Json& record) const {
    if (filter_.convention.empty()) return true;
    const auto& convention = record.at("score").at("ceiling_convention");
    return convention.is_null() || convention == filter_.convention;
  }

  // A record of odd types ends here, before anything is kept of it, and the store names it.
  void take(const Json& record) {
    const std::string benchmark = record.at("benchmark_identifier");
    const std::string name = record.at("model_identifier");
    const auto tags = record.value("tags", Json::object());
    const auto run = text_of(tags, "run"), step = text_of(tags, "step");
    if (filter_.runs_apart && run.empty()) return;
    Found found{cell_of(record, tree_), {}, variant_of(record)};
    if (const auto& convention =
            record.value("score", Json::object()).value("ceiling_convention", Json());
        convention.is_string())
      conventions_.insert(convention.get<std::string>());
    if (is_scored(found.cell)) {
      found.edition = edition_of(record);
      found.of_convention = of_convention(record);
      if (filter_.neuroids_of.contains(name)) found.cell.neuroids = kept_neuroids(record);
    }
    auto& row = rows_[filter_.runs_apart ? run + "\n" + name : name];
    row.network.name = name;
    row.shown = fits(name, filter_.records.model);
    auto& variant = row.variants[found.variant];
    if (found.cell.end >= variant.last) {
      variant.last = found.cell.end;
      variant.graph = text_of(record, "graph_sha256");
      variant.weights = text_of(record, "weights_sha256");
    }
    if (!run.empty()) variant.run = run;
    if (!step.empty()) variant.step = step;
    if (in_view(benchmark)) row.found[benchmark].push_back(std::move(found));
  }

  std::string conventions_here() const {
    std::string all;
    for (const auto& name : conventions_) all += (all.empty() ? "" : ", ") + shown(name);
    return all.empty() ? "none has any" : all;
  }

  // Two networks under one name would be one row of scores of both.
  void choose_variant(Row& row) {
    const std::pair<const std::string, Variant>* chosen = nullptr;
    size_t several = 0;
    for (const auto& variant : row.variants) {
      if (variant.first.empty()) continue;
      ++several;
      if (!chosen || variant.second.last >= chosen->second.last) chosen = &variant;
    }
    const auto& plain = row.variants.find(std::string());
    const auto& tags = chosen ? chosen->second : plain->second;
    row.network.run = tags.run;
    row.network.step = tags.step;
    row.network.graph_sha256 = tags.graph;
    row.network.weights_sha256 = tags.graph.empty() ? std::string() : tags.weights;
    if (several > 1) {
      if (row.shown) several_.push_back(row.network.name);
      for (auto& [benchmark, found] : row.found) {
        const auto n = std::erase_if(found, [&](const Found& one) {
          return !one.variant.empty() && one.variant != chosen->first;
        });
        n_others_ += row.shown ? static_cast<int64_t>(n) : 0;
      }
      std::erase_if(row.found, [](const auto& of) { return of.second.empty(); });
    }
    for (const auto& [benchmark, found] : row.found) {
      for (const auto& one : found) {
        // A published score of another kind of tree is none in this one.
        if (one.cell.standing != Standing::kImported || !std::isnan(one.cell.score.value))
          seen_.insert(benchmark);
        if (!is_scored(one.cell) || !one.of_convention) continue;
        auto& edition = editions_[benchmark][one.edition];
        edition.networks.insert(row.network.name);
        edition.newest = std::max(edition.newest, one.cell.end);
      }
    }
  }

  void choose_editions() {
    for (const auto& [benchmark, editions] : editions_) {
      const auto best =
          std::max_element(editions.begin(), editions.end(), [](const auto& a, const auto& b) {
            return std::tuple(a.second.networks.size(), a.second.newest) <
                   std::tuple(b.second.networks.size(), b.second.newest);
          });
      chosen_[benchmark] = best->first;
    }
  }

  // Of what a network has on a benchmark, what counts.
  void choose(BoardNetwork& network, const std::string& benchmark, std::vector<Found>& all) {
    const auto chosen = chosen_.find(benchmark);
    auto& kept = network.cells[benchmark];
    int64_t scored = 0;  // of the edition
    for (auto& one : all) {
      auto& cell = one.cell;
      if (is_scored(cell) && (chosen == chosen_.end() || one.edition != chosen->second)) {
        cell.standing = Standing::kOtherEdition;
        cell.score = {std::nan(""), std::nan("")};
      }
      if (is_scored(cell)) ++scored;
      if (std::tuple(worth(cell), cell.end) >= std::tuple(worth(kept), kept.end))
        kept = std::move(cell);
    }
    if (scored > 1) several_scores_.push_back(shown(network.name) + " on " + benchmark);
  }

  const BoardFilter& filter_;
  const Tree& tree_;
  std::string since_;
  std::map<std::string, Manifest> manifests_;
  std::map<std::string, std::map<std::string, Edition>> editions_;  // by benchmark
  std::map<std::string, std::string> chosen_;
  std::map<std::string, Row> rows_;     // by name, or run and name
  std::vector<BoardNetwork> networks_;  // that are shown
  std::set<std::string> seen_, conventions_;
  std::vector<std::string> several_;  // names of several networks
  std::vector<std::string> several_scores_;
  int64_t n_others_ = 0;
  size_t rows_read_ = 0;
};

void collect_leaves(const TreeNode& node, std::vector<std::string>& leaves) {
  if (!node.benchmark.empty()) leaves.push_back(node.benchmark);
  for (const auto& child : node.children) collect_leaves(child, leaves);
}

// n of a normal distribution; the same for the same names, and independent for others.
std::vector<double> normal_draws(const LeafScore& score,
                                 const std::string& network,
                                 const std::string& benchmark,
                                 size_t n) {
  const auto seed = std::stoull(sha256_of(network + "\n" + benchmark).substr(0, 16), nullptr, 16);
  auto draws = at::empty({static_cast<int64_t>(n)}, at::kDouble);
  auto* const first = draws.mutable_data_ptr<double>();
  for (size_t i = 0; i < n; ++i) first[i] = (philox4x32(seed, 0, i)[0] + 0.5) / 4294967296.0;
  draws = score.value + score.error * at::special_ndtri(draws);
  return {draws.const_data_ptr<double>(), draws.const_data_ptr<double>() + n};
}

}  // namespace

std::string name_of(Standing standing) {
  switch (standing) {
    case Standing::kMissing:
      return "missing";
    case Standing::kOk:
      return "ok";
    case Standing::kUndefined:
      return "undefined";
    case Standing::kFailed:
      return "failed";
    case Standing::kImported:
      return "imported";
    case Standing::kOtherEdition:
      break;
  }
  return "other edition";
}

const BoardCell* BoardNetwork::find(const std::string& benchmark) const {
  const auto found = cells.find(benchmark);
  return found == cells.end() ? nullptr : &found->second;
}

bool BoardNetwork::was_scored(const std::string& benchmark) const {
  const auto* cell = find(benchmark);
  if (!cell) return false;
  return cell->standing == Standing::kOk || cell->standing == Standing::kUndefined ||
         cell->standing == Standing::kFailed || !std::isnan(cell->score.value);
}

std::map<std::string, LeafScore> BoardNetwork::scores() const {
  std::map<std::string, LeafScore> all;
  for (const auto& [benchmark, cell] : cells) all[benchmark] = cell.score;
  return all;
}

LeafScore leaf_of(const Json& record, const Tree& tree) {
  const auto standing = standing_of(record);
  if (standing == Standing::kFailed) return {std::nan(""), std::nan("")};
  const auto& score = record.at("score");
  if (standing == Standing::kImported)
    return {number_of(score, tree.raw ? "raw" : "ceiled"), std::nan("")};
  if (!tree.raw) return {number_of(score, "ceiled"), number_of(record.at("error"), "ceiled")};
  const auto& raw = record.at("raw");
  // Of what has no ceiling, the platform's error is the spread of single choices; the interval is
  // the mean's.
  const double value = number_of(score, "raw");
  if (!score.at("ceiling_convention").is_null()) return {value, number_of(raw, "error")};
  const double z = normal_quantile((1 + record.at("error").at("level").get<double>()) / 2);
  return {value, (number_of(raw, "ci_hi") - number_of(raw, "ci_lo")) / (2 * z)};
}

BoardCell cell_of(const Json& record, const Tree& tree) {
  BoardCell cell;
  cell.standing = standing_of(record);
  cell.end = text_of(record, "end");
  cell.key = text_of(record, "key");
  cell.score = leaf_of(record, tree);
  cell.raw = cell.lo = cell.hi = std::nan("");
  if (cell.standing == Standing::kFailed) return cell;
  if (cell.standing == Standing::kOk && std::isnan(cell.score.value))
    cell.standing = Standing::kUndefined;
  if (is_scored(cell)) {
    const auto& interval = record.at(tree.raw ? "raw" : "error");
    if (interval.contains("ci_lo")) cell.lo = number_of(interval, "ci_lo");
    if (interval.contains("ci_hi")) cell.hi = number_of(interval, "ci_hi");
  }
  cell.draws = kept_draws(record, tree.raw);
  cell.raw = number_of(record.at("score"), "raw");
  cell.pooled = record.value("populations", Json::array()).size() < 2;
  cell.halves =
      record.value("layer_selection", Json::object()).value("method", "") == "alternating_halves";
  cell.within_null = cell_of(record, "null.within") == true;
  const auto method = cell_of(record, "error.method");
  if (const std::string drawn = "bootstrap over "; method.is_string()) {
    const auto text = method.get<std::string>();
    const auto at = text.find(drawn);
    if (at != std::string::npos) cell.over = text.substr(at + drawn.size());
  }
  return cell;
}

std::string mark_without_score(const BoardNetwork& network, const std::string& benchmark) {
  const auto* cell = network.find(benchmark);
  switch (cell ? cell->standing : Standing::kMissing) {
    case Standing::kMissing:
    case Standing::kImported:  // by another kind of tree: raw, or ceiled
      return "-";
    case Standing::kOtherEdition:
      return "other";
    case Standing::kUndefined:
      return "undef.";
    case Standing::kOk:
    case Standing::kFailed:
      break;
  }
  return "X";
}

std::vector<std::string> leaves_of(const Tree& tree) {
  std::vector<std::string> leaves;
  collect_leaves(tree.root, leaves);
  return leaves;
}

Scoreboard read_board(Store& store,
                      const BoardFilter& filter,
                      const Tree& tree,
                      const std::vector<Manifest>& manifests) {
  Reader reader(filter, tree, manifests);
  reader.read(store);
  return reader.board(store.folder());
}

Scoreboard board_of_table(const std::string& path,
                          const Tree& tree,
                          const std::vector<Manifest>& manifests) {
  const auto table = read_table(path);
  const auto models = table.text("model");
  if (models.empty()) throw bad_input({path, "rows", "a header alone", "one network a row", ""});
  Scoreboard board;
  const auto whole = with_benchmarks(tree, manifests);
  std::map<std::string, size_t> rows;
  for (size_t i = 0; i < models.size(); ++i) {
    const auto [first, fresh] = rows.emplace(models[i], i);
    if (!fresh) {
      throw bad_input(
          {path, "model",
           shown(models[i]) + " in " + table.place(first->second) + " and " + table.place(i),
           "each network once", ""});
    }
    if (models[i].empty())
      throw bad_input({path, table.place(i) + ", column model", "nothing", "a network's name", ""});
    BoardNetwork network;
    network.name = models[i];
    board.networks.push_back(std::move(network));
  }
  std::map<std::string, std::string> column_of;  // a benchmark
  std::string wanted;
  const auto take = [&](const std::string& column, const std::string& benchmark) {
    if (column.empty() || !table.has(column)) return;
    const auto [known, fresh] = column_of.emplace(benchmark, column);
    if (!fresh && known->second == column) return;
    if (!fresh) {
      throw bad_input({path, "columns", known->second + " and " + column + ", both of " + benchmark,
                       "one", "Take one of them out"});
    }
    const auto cells = table.column(column);
    for (size_t i = 0; i < cells.size(); ++i) {
      if (cells[i] == "X" || is_missing(cells[i])) continue;
      double value = 0;
      if (!parse_number(cells[i], value))
        throw bad_input({path, table.place(i) + ", column " + column, shown(cells[i]),
                         "a number, X or nothing", ""});
      // Composites clip leaves to 0 .. 1: per cent would all rank as 1.
      constexpr double kMost = 2;
      if (!std::isnan(value) && !(std::abs(value) <= kMost)) {
        throw bad_input({path, table.place(i) + ", column " + column, shown(cells[i]),
                         "a score whose ceiling is 1", "Divide per cent by 100"});
      }
      auto& cell = board.networks[i].cells[benchmark];
      cell.standing = Standing::kImported;
      cell.score = {value, std::nan("")};
    }
  };
  const std::function<void(const TreeNode&)> visit = [&](const TreeNode& node) {
    for (const auto& child : node.children) visit(child);
    if (node.benchmark.empty()) return;
    wanted += (wanted.empty() ? "" : ", ") + (node.column.empty() ? node.benchmark : node.column);
    take(node.column, node.benchmark);
    take(node.benchmark, node.benchmark);
  };
  visit(whole.root);
  if (column_of.empty()) {
    constexpr size_t kShown = 300;  // a tree may have hundreds
    if (wanted.size() > kShown) wanted = wanted.substr(0, wanted.rfind(',', kShown)) + ", ...";
    throw bad_input(
        {path, "columns", "none of tree " + tree.identifier, wanted, "Choose another --tree"});
  }
  // What a tree names itself belongs to it; of what hangs there as well, what the table has.
  const auto named = leaves_of(tree);
  std::set<std::string> leaves(named.begin(), named.end()), columns;
  for (const auto& [benchmark, column] : column_of) {
    leaves.insert(benchmark);
    columns.insert(column);
  }
  board.tree = with_leaves(whole, leaves);
  board.benchmarks = leaves_of(board.tree);
  std::string unread;
  for (const auto& column : table.columns) {
    if (column != "model" && !columns.contains(column))
      unread += (unread.empty() ? "" : ", ") + shown(column);
  }
  if (!unread.empty()) {
    board.notes.push_back(path + ": of no benchmark of tree " + tree.identifier +
                          ", and not read: columns " + unread);
  }
  return board;
}

std::vector<double> own_draws(const BoardCell& cell, size_t n, std::string& why) {
  why = cell.draws.why;
  auto draws = unpacked(cell.draws.packed);
  if (draws.empty()) return {};
  if (draws.size() != n) {
    why = "keeps " + std::to_string(draws.size()) + " draws, others " + std::to_string(n);
    return {};
  }
  for (auto& draw : draws) {
    if (!std::isfinite(draw)) draw = std::nan("");  // as interval_of() leaves them out
  }
  return draws;
}

std::map<std::string, std::vector<double>> leaf_draws(
    const BoardNetwork& network, size_t n, std::map<std::string, std::string>& unpaired) {
  std::map<std::string, std::vector<double>> all;
  for (const auto& [benchmark, cell] : network.cells) {
    if (std::isnan(cell.score.value)) continue;
    std::string why;
    auto draws = own_draws(cell, n, why);
    if (!draws.empty()) {
      all[benchmark] = std::move(draws);
      continue;
    }
    unpaired[benchmark] = why;
    if (!std::isnan(cell.score.error))
      all[benchmark] = normal_draws(cell.score, network.name, benchmark, n);
  }
  return all;
}

size_t usual_draws(const std::vector<const BoardNetwork*>& networks) {
  std::map<size_t, std::pair<size_t, const std::string*>> counts;  // by length, which says how many
  for (const auto* network : networks) {
    for (const auto& [benchmark, cell] : network->cells) {
      if (cell.draws.packed.empty()) continue;
      auto& [count, example] = counts[cell.draws.packed.size()];
      ++count;
      example = &cell.draws.packed;
    }
  }
  if (counts.empty()) return 1000;
  // Of equals the last, which is the longest.
  auto usual = counts.begin();
  for (auto one = counts.begin(); one != counts.end(); ++one) {
    if (one->second.first >= usual->second.first) usual = one;
  }
  return unpacked(*usual->second.second).size();
}

}  // namespace cortiscore
