#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <ostream>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/composite.h"
#include "src/cli/flags.h"
#include "src/cli/json_line.h"
#include "src/cli/record_table.h"
#include "src/cli/table.h"
#include "src/core/nearest_name.h"
#include "src/core/notes.h"
#include "src/core/printable.h"
#include "src/core/whole_file.h"
#include "src/data/table.h"
#include "src/ranking/comparison.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  BoardArguments board;
  std::string first, second, neuroids;
  bool runs = false, json = false;
};

std::string p_text(double p) {
  if (std::isnan(p)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, p < 0.001 ? "%.0e" : "%.3f", p);
  return text;
}

std::string ends_text(const Ends& ends) {
  return std::isnan(ends.lo) ? "-" : cell(ends.lo, "%+.3f") + " .. " + cell(ends.hi, "%+.3f");
}

Json neuroids_json(const Difference& one) {
  if (one.first_neuroids.empty()) return nullptr;
  int64_t above = 0;
  for (size_t i = 0; i < one.first_neuroids.size(); ++i)
    above += one.first_neuroids[i] > one.second_neuroids[i] ? 1 : 0;
  return {{"n", one.first_neuroids.size()}, {"first_above", above}};
}

// A row a neuroid of every benchmark whose records keep them, in the order of its recordings.
void write_neuroids(const std::vector<Difference>& all, const std::string& path) {
  write_whole(path, [&](std::ostream& file) {
    file << "benchmark,neuroid,first,second,difference\r\n";
    for (const auto& one : all) {
      for (size_t i = 0; i < one.first_neuroids.size(); ++i) {
        const double first = one.first_neuroids[i], second = one.second_neuroids[i];
        file << csv_field(one.name) << ',' << i;
        for (const double value : {first, second, first - second})
          file << ',' << (std::isnan(value) ? "" : Json(value).dump());
        file << "\r\n";
      }
    }
  });
}

Json reason(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json difference_json(const Difference& one) {
  return {{"name", one.name},
          {"neuroids", neuroids_json(one)},
          {"leaf", one.leaf},
          {"first", number(one.first)},
          {"second", number(one.second)},
          {"difference", number(one.difference)},
          {"ci_lo", number(one.interval.lo)},
          {"ci_hi", number(one.interval.hi)},
          {"paired", one.unpaired.empty()},
          {"unpaired", reason(one.unpaired)},
          {"p", number(one.p)},
          {"p_corrected", number(one.p_corrected)},
          {"method", reason(one.method)},
          {"lacking", reason(one.lacking)},
          {"without_error", reason(one.without_error)},
          {"unpermuted", reason(one.unpermuted)}};
}

const std::vector<Column> kColumns = {{0, 40, true}, {2, 6}, {2, 6}, {2, 10},
                                      {2, 18},       {2, 7}, {2, 9}};

std::string score_text(double score, const BoardNetwork& network, const Difference& one) {
  return std::isnan(score) && one.leaf ? mark_without_score(network, one.name) : cell(score);
}

// What marks in a table stand for, a line a reason: where it is, and how often more.
class Footnotes {
 public:
  explicit Footnotes(std::string mark) : mark_(std::move(mark)) {}

  // The mark, where there is a reason.
  std::string mark(const std::string& why, const std::string& where) {
    if (why.empty()) return {};
    auto& places = places_[why];
    places.push_back(where);
    return " " + mark_;
  }
  void print(const char* meaning) const {
    for (const auto& [why, places] : places_) {
      const auto more = places.size() - 1;
      std::printf("%s %s: %s (%s%s)\n", mark_.c_str(), meaning, printable(why).c_str(),
                  printable(places.front()).c_str(),
                  more ? (" and " + std::to_string(more) + " more").c_str() : "");
    }
  }

 private:
  std::string mark_;
  std::map<std::string, std::vector<std::string>> places_;
};

// Of intervals, those that are there and those that are not.
struct Marks {
  Footnotes unpaired{"*"}, lacking{"!"}, without_error{"?"};

  std::string cell(const Difference& one) {
    if (!std::isnan(one.interval.lo))
      return ends_text(one.interval) + unpaired.mark(one.unpaired, one.name);
    if (!one.lacking.empty()) return "-" + lacking.mark(one.lacking, one.name);
    return "-" + without_error.mark(one.without_error, one.name);
  }
  void print(Tree::Missing missing) const {
    unpaired.print("the errors of both are taken as independent");
    lacking.print(missing == Tree::Missing::kZero
                      ? "not compared, since what one of both lacks counts as zero"
                      : "not compared, since both are not of the same benchmarks");
    without_error.print("no interval and no p");
  }
};

void print_differences(const std::vector<Difference>& all,
                       Tree::Missing missing,
                       const BoardNetwork& first,
                       const BoardNetwork& second) {
  Marks marks;
  Footnotes unpermuted("+");
  print_cells(kColumns, {"", "first", "second", "difference", "95% interval", "p", "corrected"});
  for (const auto& one : all) {
    print_cells(kColumns, {std::string(static_cast<size_t>(one.depth), ' ') + printable(one.name),
                           score_text(one.first, first, one), score_text(one.second, second, one),
                           cell(one.difference, "%+.3f"), marks.cell(one),
                           p_text(one.p) +
                               (std::isnan(one.p) ? "" : unpermuted.mark(one.unpermuted, one.name)),
                           one.leaf ? p_text(one.p_corrected) : ""});
  }
  marks.print(missing);
  unpermuted.print("p is that of the bootstrap, neuroids could not be exchanged");
}

const BoardNetwork& find_network(const Scoreboard& board, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& network : board.networks) {
    if (network.name == name) return network;
    known.push_back(network.name);
  }
  throw unknown_name("network", name, "the networks with results", known);
}

// Whether there is a difference at all, and neuroids where they were asked for.
void check_comparable(const std::vector<Difference>& all, const Arguments& arguments) {
  const auto both = shown(arguments.first) + " and " + shown(arguments.second);
  if (std::none_of(all.begin(), all.end(),
                   [](const auto& one) { return one.leaf && !std::isnan(one.difference); })) {
    throw bad_input({arguments.board.store.empty() ? "the store" : arguments.board.store,
                     "benchmarks", "none on which both " + both + " have a score",
                     "at least one that both were scored on",
                     "Look at `cortiscore rank --columns benchmarks`, or score them first"});
  }
  if (arguments.neuroids.empty() || std::any_of(all.begin(), all.end(), [](const auto& one) {
        return !one.first_neuroids.empty();
      }))
    return;
  std::string why;
  for (const auto& one : all) {
    if (why.empty() && !one.unpermuted.empty()) why = " (" + one.name + ": " + one.unpermuted + ")";
  }
  throw bad_input({"--neuroids", "scores a neuroid",
                   "no benchmark of which the records of both " + both + " keep them" + why,
                   "records of one that is scored a neuroid",
                   "Leave --neuroids out, or score both with --again"});
}

void compare(const Arguments& arguments) {
  if (arguments.first == arguments.second) {
    throw Error(ErrorKind::kUsage, "compare: found " + shown(arguments.first) +
                                       " twice, expected two networks, or two runs with --runs.");
  }
  if (arguments.runs && !arguments.neuroids.empty()) {
    throw Error(ErrorKind::kUsage,
                "--neuroids: found --runs beside it, expected two networks. Compare two "
                "checkpoints by their names.");
  }
  auto looked_at = arguments.board;
  looked_at.filter.runs_apart = arguments.runs;
  if (!arguments.runs) looked_at.filter.neuroids_of = {arguments.first, arguments.second};
  const auto board = board_of(looked_at);
  if (arguments.runs) {
    const auto steps = compare_runs(board, arguments.first, arguments.second);
    if (steps.empty()) {
      throw bad_input({arguments.board.store.empty() ? "the store" : arguments.board.store, "steps",
                       "none that the runs " + shown(arguments.first) + " and " +
                           shown(arguments.second) + " both have",
                       "results with the tags run and step of both",
                       "A Probe writes them (docs/training.md), or `sweep --checkpoint-table` with "
                       "columns of these names"});
    }
    if (arguments.json) {
      for (const auto& step : steps) {
        auto line = difference_json(step.composite);
        line["step"] = step.step;
        std::cout << json_line(line) << '\n';
      }
      return;
    }
    const std::vector<Column> columns = {{0, 10}, {2, 6}, {2, 6}, {2, 10}, {2, 18}, {2, 7}};
    Marks marks;
    print_cells(columns, {"step", "first", "second", "difference", "95% interval", "p"});
    for (const auto& [step, first, second, composite] : steps)
      print_cells(columns, {printable(step), cell(composite.first), cell(composite.second),
                            cell(composite.difference, "%+.3f"), marks.cell(composite),
                            p_text(composite.p)});
    return marks.print(board.tree.missing);
  }
  const auto &first = find_network(board, arguments.first),
             &second = find_network(board, arguments.second);
  const auto all = compare_networks(board, first, second);
  check_comparable(all, arguments);
  if (!arguments.neuroids.empty()) write_neuroids(all, arguments.neuroids);
  if (!arguments.json) return print_differences(all, board.tree.missing, first, second);
  for (const auto& one : all) std::cout << json_line(difference_json(one)) << '\n';
}

}  // namespace

void add_compare(CLI::App& parent) {
  auto* verb = parent.add_subcommand(
      "compare", "Two networks, or two trainings step by step: differences, intervals and p");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("first", arguments->first, "a network of the store; with --runs a run")
      ->required();
  verb->add_option("second", arguments->second, "another")->required();
  verb->add_flag("--runs", arguments->runs,
                 "the names are of trainings (tag run): their composites by step");
  verb->add_option("--neuroids", arguments->neuroids,
                   "write both raw scores of every neuroid to this .csv, where records keep them");
  add_board_flags(*verb, arguments->board);
  verb->add_flag("--json", arguments->json, "print one JSON object a line");
  verb->callback([arguments] { compare(*arguments); });
}

}  // namespace cortiscore::cli
