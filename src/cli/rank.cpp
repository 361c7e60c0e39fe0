#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <memory>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "src/cli/composite.h"
#include "src/cli/flags.h"
#include "src/cli/json_line.h"
#include "src/cli/record_table.h"
#include "src/cli/table.h"
#include "src/core/printable.h"
#include "src/core/progress.h"
#include "src/core/terminal.h"
#include "src/ranking/league.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  BoardArguments board;
  std::string columns = "nodes";
  bool json = false;
};

Json ends_json(const Ends& ends) {
  return std::isnan(ends.lo) ? Json(nullptr) : Json::array({ends.lo, ends.hi});
}

Json text_json(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json place_json(int64_t place) {
  return place ? Json(place) : Json(nullptr);
}

Json ranked_json(const Ranked& ranked, const Scoreboard& board) {
  Json nodes = Json::object(), node_intervals = Json::object(), leaves = Json::object(),
       leaf_intervals = Json::object(), status = Json::object(), records = Json::object(),
       contradicting = Json::array(), within_null = Json::array();
  for (size_t i = 1; i < ranked.nodes.size(); ++i) {
    const auto& node = ranked.nodes[i];
    (node.leaf ? leaves : nodes)[node.name] = number(node.value);
    (node.leaf ? leaf_intervals : node_intervals)[node.name] = ends_json(ranked.intervals[i]);
  }
  for (const auto& benchmark : board.benchmarks) {
    const auto* cell = ranked.network->find(benchmark);
    status[benchmark] = name_of(cell ? cell->standing : Standing::kMissing);
    if (cell && !cell->key.empty()) records[benchmark] = cell->key;
    if (cell && cell->draws.wrong) contradicting.push_back(benchmark);
    if (cell && cell->standing == Standing::kOk && cell->within_null)
      within_null.push_back(benchmark);
  }
  const auto& composite = ranked.nodes.front();
  const auto& ends = ranked.intervals.front();
  return {{"rank", place_json(ranked.place)},
          {"rank_lo", place_json(ranked.place_lo)},
          {"rank_hi", place_json(ranked.place_hi)},
          {"model_identifier", ranked.network->name},
          {"graph_sha256", text_json(ranked.network->graph_sha256)},
          {"weights_sha256", text_json(ranked.network->weights_sha256)},
          {"score", number(composite.value)},
          {"error", number(composite.error)},
          {"ci_lo", number(ends.lo)},
          {"ci_hi", number(ends.hi)},
          {"paired", ranked.unpaired.empty()},
          {"unpaired", text_json(ranked.unpaired)},
          {"imported", ranked.imported},
          {"nodes", nodes},
          {"node_intervals", node_intervals},
          {"leaves", leaves},
          {"leaf_intervals", leaf_intervals},
          {"status", status},
          {"records", records},
          {"within_null", within_null},
          {"draws_left_out", contradicting}};
}

// Of a node without a score: what its leaves say, a failure before all else.
std::string mark_of(const Ranked& ranked, size_t place) {
  const auto& nodes = ranked.nodes;
  if (nodes[place].leaf) return mark_without_score(*ranked.network, nodes[place].name);
  std::string mark = "-";
  for (size_t i = place + 1; i < nodes.size() && nodes[i].depth > nodes[place].depth; ++i) {
    if (!nodes[i].leaf) continue;
    const auto of_leaf = mark_without_score(*ranked.network, nodes[i].name);
    if (of_leaf != "-" && mark != "X") mark = of_leaf;
  }
  return mark;
}

// Of whom all scores, or some, were published elsewhere.
std::string imported_text(const Ranked& ranked) {
  if (ranked.imported) return " (imported)";
  const auto& cells = ranked.network->cells;
  const bool some = std::any_of(cells.begin(), cells.end(), [](const auto& cell) {
    return cell.second.standing == Standing::kImported;
  });
  return some ? " (partly imported)" : "";
}

// @param mark  say of which networks all scores were published elsewhere
void print_table(const std::vector<Ranked>& ranking, const std::string& wanted, bool mark) {
  // Inner nodes; leaves stand under their own names where the tree has no inner ones, or where
  // benchmarks were asked for.
  const auto& first = ranking.front().nodes;
  std::vector<size_t> shown, others;
  for (size_t i = 1; i < first.size(); ++i)
    (first[i].leaf == (wanted == "benchmarks") ? shown : others).push_back(i);
  if (shown.empty()) shown = others;
  const bool places = ranking.front().place_lo > 0;
  std::vector<Column> columns = {{0, 4}};
  std::vector<std::string> header = {"rank"};
  if (places) {
    columns.push_back({1, 9});
    header.emplace_back("95% rank");
  }
  columns.insert(columns.end(), {{2, 30, true}, {1, 9}, {1, 7}});
  header.insert(header.end(), {"network", "composite", "+-"});
  for (const auto i : shown) {
    columns.push_back({2, std::max<int64_t>(columns_of(first[i].label), 5)});
    header.push_back(first[i].label);
  }
  print_cells(columns, header);
  for (const auto& ranked : ranking) {
    const auto& composite = ranked.nodes.front();
    std::vector<std::string> cells = {ranked.place ? std::to_string(ranked.place) : "-"};
    if (places) {
      cells.push_back(ranked.place_lo ? std::to_string(ranked.place_lo) + " .. " +
                                            std::to_string(ranked.place_hi)
                                      : "");
    }
    cells.push_back(printable(ranked.network->name) + (mark ? imported_text(ranked) : ""));
    cells.push_back(platform_text(composite.value));
    cells.push_back(std::isnan(composite.error) ? "" : platform_text(composite.error));
    for (const auto i : shown) {
      const auto& node = ranked.nodes[i];
      const auto* cell = node.leaf ? ranked.network->find(node.name) : nullptr;
      cells.push_back(std::isnan(node.value)
                          ? mark_of(ranked, i)
                          : platform_text(node.value) + (cell && cell->within_null ? "~" : ""));
    }
    print_cells(columns, cells);
  }
}

void run(const Arguments& arguments) {
  const auto board = board_of(arguments.board);
  const auto ranking = rank(board);
  if (ranking.empty()) return log_line("no results");
  if (arguments.json) {
    for (const auto& ranked : ranking) std::cout << json_line(ranked_json(ranked, board)) << '\n';
    return;
  }
  print_table(ranking, arguments.columns, arguments.board.table.empty());
  std::map<std::string, int64_t> unpaired;  // by reason
  for (const auto& ranked : ranking) {
    if (!ranked.unpaired.empty() && !ranked.imported) ++unpaired[ranked.unpaired];
  }
  const auto published = std::count_if(ranking.begin(), ranking.end(), [](const auto& ranked) {
    return !imported_text(ranked).empty();
  });
  if (published > 0 && ranking.front().place_lo > 0) {
    log_line("note: published scores come without errors: " + std::to_string(published) + " of " +
             std::to_string(ranking.size()) +
             " networks are ranked as if theirs were exact, and their places over the draws vary "
             "by those of others alone");
  }
  if (unpaired.empty()) return;
  std::string reasons;
  for (const auto& [why, n] : unpaired)
    reasons += (reasons.empty() ? "" : "; ") + std::string("of ") + std::to_string(n) +
               " the record " + why;
  log_line(
      "note: some score has no draws of its own, and its error is taken as independent of the "
      "others' (of " +
      std::to_string(ranking.size()) + " networks, " + printable(reasons) + ")");
}

}  // namespace

void add_rank(CLI::App& parent) {
  auto* verb =
      parent.add_subcommand("rank", "Networks by their composite, with what separates them");
  auto arguments = std::make_shared<Arguments>();
  add_board_flags(*verb, arguments->board);
  verb->add_option("--columns", arguments->columns, "nodes of the tree, or benchmarks")
      ->check(one_of({"nodes", "benchmarks"}))
      ->capture_default_str();
  verb->add_flag("--json", arguments->json, "print one JSON object a network");
  verb->callback([arguments] { run(*arguments); });
}

}  // namespace cortiscore::cli
