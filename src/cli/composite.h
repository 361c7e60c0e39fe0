#pragma once
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "src/benchmark/tree.h"
#include "src/ranking/scoreboard.h"
#include "src/results/json.h"

namespace cortiscore::cli {

/// One network's row below the table of `score`: the composite of the benchmarks asked for. Nothing
/// where fewer than two of them join it.
void print_composite(const std::vector<Json>& records,
                     const std::vector<Manifest>& benchmarks,
                     const Tree& tree);

/// What `rank` and `compare` look at: flags that choose records of a store, or a published table.
struct BoardArguments {
  std::string store, tree = "average_vision", table;
  BoardFilter filter;
  std::vector<std::string> tags;  ///< KEY=VALUE
};
void add_board_flags(CLI::App& verb, BoardArguments& arguments);
/// The board, and on stderr what was left out of it and what is damaged in the store.
/// @throws Error(kUsage)  a tag without =, a date that is none
Scoreboard board_of(const BoardArguments& arguments);

/// The verb `rank`, under the program or under `results`.
void add_rank(CLI::App& parent);
/// The verb `compare`.
void add_compare(CLI::App& parent);

}  // namespace cortiscore::cli
