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
int worth(Standing standing) {
  switch (standing) {
    case Standing::kOk:
      return 3;
    case Standing::kImported:
      return 2;
    case Standing::kFailed:
      return 1;
    case Standing::kMissing:
    case Standing::kOtherEdition:
      break;
  }
  return 0;
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
    store.each({"", filter_.records.benchmark, ""}, [&](const Json& record) {
      if (wanted(record)) take(record);
    });
    choose_editions();
    for (auto& [name, network] : networks_) {
      leave_other_weights(name);
      for (auto& [benchmark, found] : found_[name]) {
        if (!found.empty()) choose(network, benchmark, found);
      }
    }
    found_.clear();
    if (!networks_.empty()) return;
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
    for (auto& [name, network] : networks_) board.networks.push_back(std::move(network));
    note_contradictions(board);
    note_other_weights(board);
    note_missing(board);
    note_halves(board);
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
    if (several_weights_.empty()) return;
    const auto more = several_weights_.size() - 1;
    board.notes.push_back(
        "results of several weights stand under the name " + shown(several_weights_.front()) +
        (more ? " (and " + std::to_string(more) + " names more)" : "") +
        ": ranked are the weights that were scored last, " + std::to_string(n_other_weights_) +
        " results of others are left out. Keep trainings in stores of their own, or give their "
        "checkpoints names");
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
        std::to_string(halves) + " scores on " + first +
        (benchmarks > 1 ? " and " + std::to_string(benchmarks - 1) + " more" : "") +
        " are of layers that competed on alternating halves, whose maps had half of the "
        "presentations; others' had all. `score --again` makes them anew");
  }

  struct Found {
    BoardCell cell;
    std::string edition, weights;
  };

  struct Edition {
    std::set<std::string> networks;
    std::string newest;
  };

  bool wanted(const Json& record) const {
    const auto known = manifests_.find(text_of(record, "benchmark_identifier"));
    if (known == manifests_.end()) return false;
    const auto& manifest = known->second;
    if (!filter_.region.empty() && manifest.region != filter_.region) return false;
    if (!filter_.species.empty() && manifest.species != filter_.species) return false;
    if (filter_.public_only && manifest.access != "public") return false;
    if (text_of(record, "end") < since_) return false;
    return has_tags(record, filter_.tags);
  }

  bool of_convention(const Json& record) const {
    if (filter_.convention.empty()) return true;
    const auto& convention = record.at("score").at("ceiling_convention");
    return convention.is_null() || convention == filter_.convention;
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

  // A record of odd types ends here, before anything is kept of it, and the store names it.
  void take(const Json& record) {
    const std::string benchmark = record.at("benchmark_identifier");
    const std::string name = record.at("model_identifier");
    Found found{cell_of(record, tree_), {}, {}};
    if (found.cell.standing == Standing::kOk) found.edition = edition_of(record);
    if (filter_.neuroids_of.contains(name) && found.cell.standing == Standing::kOk)
      found.cell.neuroids = kept_neuroids(record);
    if (found.cell.standing == Standing::kOk && of_convention(record)) {
      auto& edition = editions_[benchmark][found.edition];
      edition.networks.insert(name);
      edition.newest = std::max(edition.newest, text_of(record, "end"));
    }
    // A published score of another kind of tree is none in this one.
    if (found.cell.standing != Standing::kImported || !std::isnan(found.cell.score.value))
      seen_.insert(benchmark);
    if (!fits(name, filter_.records.model)) return;
    if (!text_of(record, "graph_sha256").empty()) found.weights = text_of(record, "weights_sha256");
    auto& network = networks_[name];
    network.name = name;
    const auto tags = record.value("tags", Json::object());
    if (network.run.empty()) network.run = text_of(tags, "run");
    if (network.step.empty()) network.step = text_of(tags, "step");
    found_[name][benchmark].push_back(std::move(found));
  }

  // Two networks under one name would be one row of scores of both.
  void leave_other_weights(const std::string& name) {
    std::string last, weights;
    std::set<std::string> all;
    for (const auto& [benchmark, found] : found_[name]) {
      for (const auto& one : found) {
        if (one.weights.empty() || one.cell.standing != Standing::kOk) continue;
        all.insert(one.weights);
        if (one.cell.end < last) continue;
        last = one.cell.end;
        weights = one.weights;
      }
    }
    if (all.size() < 2) return;
    several_weights_.push_back(name);
    for (auto& [benchmark, found] : found_[name]) {
      n_other_weights_ += static_cast<int64_t>(std::erase_if(
          found, [&](const Found& one) { return !one.weights.empty() && one.weights != weights; }));
    }
  }

  // Of what a network has on a benchmark, what counts.
  void choose(BoardNetwork& network, const std::string& benchmark, std::vector<Found>& all) {
    const auto chosen = chosen_.find(benchmark);
    auto& kept = network.cells[benchmark];
    for (auto& one : all) {
      auto& cell = one.cell;
      if (cell.standing == Standing::kOk &&
          (chosen == chosen_.end() || one.edition != chosen->second)) {
        cell.standing = Standing::kOtherEdition;
        cell.score = {std::nan(""), std::nan("")};
      }
      if (std::tuple(worth(cell.standing), cell.end) >= std::tuple(worth(kept.standing), kept.end))
        kept = std::move(cell);
    }
  }

  const BoardFilter& filter_;
  const Tree& tree_;
  std::string since_;
  std::map<std::string, Manifest> manifests_;
  std::map<std::string, std::map<std::string, Edition>> editions_;  // by benchmark
  std::map<std::string, std::string> chosen_;
  std::map<std::string, std::map<std::string, std::vector<Found>>> found_;  // network, benchmark
  std::map<std::string, BoardNetwork> networks_;
  std::set<std::string> seen_;
  std::vector<std::string> several_weights_;  // names
  int64_t n_other_weights_ = 0;
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
  return cell->standing == Standing::kOk || cell->standing == Standing::kFailed ||
         !std::isnan(cell->score.value);
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
  if (cell.standing == Standing::kOk) {
    const auto& interval = record.at(tree.raw ? "raw" : "error");
    if (interval.contains("ci_lo")) cell.lo = number_of(interval, "ci_lo");
    if (interval.contains("ci_hi")) cell.hi = number_of(interval, "ci_hi");
  }
  cell.draws = kept_draws(record, tree.raw);
  cell.raw = number_of(record.at("score"), "raw");
  cell.pooled = record.value("populations", Json::array()).size() < 2;
  cell.halves =
      record.value("layer_selection", Json::object()).value("method", "") == "alternating_halves";
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
  board.tree = with_benchmarks(tree, manifests);
  board.benchmarks = leaves_of(board.tree);
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
  bool any = false;
  std::string wanted;
  const auto take = [&](const std::string& column, const std::string& benchmark) {
    if (column.empty() || !table.has(column)) return;
    any = true;
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
  visit(board.tree.root);
  if (!any)
    throw bad_input(
        {path, "columns", "none of tree " + tree.identifier, wanted, "Choose another --tree"});
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

size_t usual_draws(const Scoreboard& board) {
  std::map<size_t, std::pair<size_t, const std::string*>> counts;  // by length, which says how many
  for (const auto& network : board.networks) {
    for (const auto& [benchmark, cell] : network.cells) {
      if (cell.draws.packed.empty()) continue;
      auto& [count, example] = counts[cell.draws.packed.size()];
      ++count;
      example = &cell.draws.packed;
    }
  }
  if (counts.empty()) return 1000;
  const auto usual = std::max_element(
      counts.begin(), counts.end(),
      [](const auto& a, const auto& b) { return a.second.first < b.second.first; });
  return unpacked(*usual->second.second).size();
}

}  // namespace cortiscore
