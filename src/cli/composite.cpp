#include "src/cli/composite.h"

#include <cmath>
#include <iostream>
#include <memory>
#include <regex>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/flags.h"
#include "src/cli/record_table.h"
#include "src/core/printable.h"
#include "src/core/progress.h"
#include "src/kinds/kinds.h"
#include "src/ranking/league.h"

namespace cortiscore::cli {
namespace {

// A day, or an instant as records have it; what is left out is the earliest.
bool is_date(const std::string& text) {
  static const std::regex form(R"(\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))"
                               R"((T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?Z?)?)");
  return std::regex_match(text, form);
}

}  // namespace

void print_composite(const std::vector<Json>& records,
                     const std::vector<Manifest>& benchmarks,
                     const Tree& tree) {
  Scoreboard board;
  board.tree = with_benchmarks(tree, benchmarks);
  if (leaves_of(board.tree).size() < 2) return;
  BoardNetwork network;
  for (const auto& record : records)
    network.cells[record.at("benchmark_identifier")] = cell_of(record, tree);
  board.networks.push_back(std::move(network));
  const auto ranking = rank(board);
  const auto& nodes = ranking.front().nodes;
  std::string parts;
  for (const auto& node : nodes) {
    if (node.depth == 1) parts += (parts.empty() ? "" : ", ") + node.name + " " + cell(node.value);
  }
  const auto& ends = ranking.front().intervals.front();
  print_record_cells({printable(records.front().at("model_identifier").get<std::string>()),
                      tree.identifier, "", "", cell(nodes.front().value),
                      cell(ends.lo) + " .. " + cell(ends.hi), "", "mean of " + parts});
}

void add_board_flags(CLI::App& verb, BoardArguments& arguments) {
  auto& filter = arguments.filter;
  add_results_flag(verb, arguments.store);
  add_tree_flag(verb, arguments.tree);
  verb.add_option("--table", arguments.table,
                  "published scores instead of the store: .csv or .tsv with a column model and one "
                  "a benchmark");
  verb.add_option("--network", filter.records.model, "only networks like this (*, ?)");
  verb.add_option("--benchmark", filter.records.benchmark, "only benchmarks like this (*, ?)");
  verb.add_option("--region", filter.region, "only benchmarks of this region: V1, V4, IT, ...");
  verb.add_option("--species", filter.species, "only benchmarks of this species: macaque, human");
  verb.add_flag("--public", filter.public_only, "only benchmarks whose data anyone can have");
  verb.add_option("--since", filter.since, "only results of this day or later: 2026-11-30")
      ->check([](const std::string& text) {
        return is_date(text) ? std::string()
                             : "found \"" + printable(text) + "\", expected a day as 2026-11-30";
      });
  verb.add_option("--tag", arguments.tags, "only results with this tag: KEY=VALUE, as run=run7")
      ->expected(1)
      ->take_all();
  verb.add_option("--convention", filter.convention,
                  "only scores that became ceiled this way: r2_over_c, r_over_c, ...");
}

Scoreboard board_of(const BoardArguments& arguments) {
  const auto tree = find_tree(arguments.tree);
  const auto manifests = manifests_of(all_benchmarks());
  if (!arguments.table.empty()) {
    const auto& filter = arguments.filter;
    const bool filtered = filter.public_only || !arguments.tags.empty() ||
                          !(filter.records.model + filter.records.benchmark + filter.region +
                            filter.species + filter.since + filter.convention)
                               .empty();
    if (filtered) {
      throw Error(ErrorKind::kUsage,
                  "--table: found a filter beside it, expected none: filters are of a store. Take "
                  "rows or columns out of the table, or `cortiscore results import` it.");
    }
    auto board = board_of_table(arguments.table, tree, manifests);
    for (const auto& note : board.notes) log_line("note: " + note);
    return board;
  }
  auto filter = arguments.filter;
  for (const auto& tag : arguments.tags) {
    const auto at = tag.find('=');
    if (at == std::string::npos || at == 0) {
      throw Error(ErrorKind::kUsage,
                  "--tag: found \"" + printable(tag) + "\", expected KEY=VALUE, as run=run7.");
    }
    if (!filter.tags.emplace(tag.substr(0, at), tag.substr(at + 1)).second) {
      throw Error(ErrorKind::kUsage, "--tag: found two values of " + printable(tag.substr(0, at)) +
                                         ", expected one: a result has one value of a tag.");
    }
  }
  auto store = open_store(results_folder(arguments.store));
  auto board = read_board(store, filter, tree, manifests);
  for (const auto& note : board.notes) log_line("note: " + note);
  for (const auto& sentence : store.damage()) log_line("warning: " + sentence);
  return board;
}

}  // namespace cortiscore::cli
