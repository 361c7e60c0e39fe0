#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/composite.h"
#include "src/cli/flags.h"
#include "src/cli/python.h"
#include "src/cli/record_table.h"
#include "src/core/progress.h"
#include "src/data/table.h"
#include "src/results/columns.h"
#include "src/results/store.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::string store, format = "csv", output, tree = "average_vision", table;
  std::vector<std::string> sources;
  RecordFilter filter;
  bool json = false, no_timings = false;
};

void report_damage(Store& store) {
  for (const auto& sentence : store.damage()) log_line("warning: " + sentence);
}

void show(const Arguments& arguments) {
  auto store = open_store(results_folder(arguments.store));
  int64_t n = 0, failed = 0;
  store.each(arguments.filter, [&](const Json& record) {
    if (arguments.json) {
      std::cout << canonical(record) << '\n';
    } else {
      if (n == 0) print_header();
      print_row(record);
    }
    ++n;
    failed += record.at("status") != "ok";
  });
  std::cout.flush();
  if (!arguments.json)
    log_line(std::to_string(n) + " results in " + store.folder() +
             (failed ? ", of which " + std::to_string(failed) + " failed" : ""));
  report_damage(store);
}

void rank(const Arguments& arguments) {
  const auto tree = find_tree(arguments.tree);
  if (!arguments.table.empty())
    return print_ranking(rank_table(arguments.table, tree), arguments.json);
  auto store = open_store(results_folder(arguments.store));
  print_ranking(rank_store(store, arguments.filter, tree), arguments.json);
  report_damage(store);
}

// RFC 4180, and no cell that a spreadsheet would take for a formula.
std::string csv_text(std::string text) {
  if (!text.empty() && std::string("=+-@\t\r").find(text[0]) != std::string::npos)
    text = "'" + text;
  return csv_field(text);
}

// Lists as JSON.
std::string csv_cell(const Json& record, const std::string& column) {
  const auto value = cell_of(record, column);
  if (value.is_null()) return "";
  if (value.is_string()) return csv_text(value.get<std::string>());
  return value.is_structured() ? csv_text(canonical(value)) : canonical(value);
}

void write_export(const Arguments& arguments, std::ostream& out) {
  auto store = open_store(results_folder(arguments.store));
  const auto& columns = record_columns();
  if (arguments.format == "csv") {
    for (const auto& column : columns) out << (&column == &columns[0] ? "" : ",") << column;
    out << "\r\n";
  }
  store.each(arguments.filter, [&](const Json& record) {
    if (arguments.format == "jsonl") {
      out << canonical(arguments.no_timings ? reproducible(record) : record) << '\n';
      return;
    }
    const auto kept = arguments.no_timings ? reproducible(record) : record;
    for (const auto& column : columns)
      out << (&column == &columns[0] ? "" : ",") << csv_cell(kept, column);
    out << "\r\n";
  });
  out.flush();
  report_damage(store);
}

void export_results(const Arguments& arguments) {
  if (arguments.format == "parquet" && arguments.output.empty()) {
    throw Error(ErrorKind::kUsage, "--format parquet is binary: name a file with -o FILE.");
  }
  if (arguments.output.empty()) return write_export(arguments, std::cout);
  // Visible only when whole.
  const auto parquet = arguments.format == "parquet";
  const auto partial = arguments.output + ".partial." + std::to_string(::getpid());
  {
    std::ofstream file(partial, std::ios::binary);
    auto rows = arguments;
    if (parquet) rows.format = "csv";
    if (file) write_export(rows, file);
    file.close();
    if (!file) {
      std::error_code ignored;
      std::filesystem::remove(partial, ignored);
      throw bad_input({arguments.output, "", "it cannot be written", "room and permission", ""});
    }
  }
  if (parquet) become_python("cortiscore.parquet", {partial, arguments.output});
  std::filesystem::rename(partial, arguments.output);
}

void merge(const Arguments& arguments) {
  Store store(results_folder(arguments.store));
  for (const auto& source : arguments.sources) {
    const auto merged = store.merge(source);
    std::printf("%s: %lld taken, %lld there already\n", source.c_str(),
                static_cast<long long>(merged.taken), static_cast<long long>(merged.present));
    std::fflush(stdout);
  }
}

void collect(const Arguments& arguments) {
  auto store = open_store(results_folder(arguments.store));
  report_damage(store);
  const auto done = store.gc();
  std::printf(
      "%lld records kept, %lld superseded dropped, %lld shards removed, %lld being written\n",
      static_cast<long long>(done.kept), static_cast<long long>(done.dropped),
      static_cast<long long>(done.shards), static_cast<long long>(done.living));
}

}  // namespace

void add_results(CLI::App& app, Outcome& /*outcome*/) {
  auto* verb =
      app.add_subcommand("results", "The store: show, rank, export, merge, collect garbage");
  verb->require_subcommand(1);
  auto arguments = std::make_shared<Arguments>();
  const auto add = [&](const char* name, const char* text) {
    auto* sub = verb->add_subcommand(name, text);
    add_results_flag(*sub, arguments->store);
    return sub;
  };
  const auto add_filter = [&](CLI::App* sub) {
    sub->add_option("--network", arguments->filter.model, "only networks like this (*, ?)");
    sub->add_option("--benchmark", arguments->filter.benchmark, "only benchmarks like this (*, ?)");
    sub->add_option("--status", arguments->filter.status, "ok or failed")
        ->check(one_of({"ok", "failed"}));
  };
  auto* shown = add("show", "One line a result; may run while a sweep writes");
  add_filter(shown);
  shown->add_flag("--json", arguments->json, "print one JSON record a line");
  shown->callback([arguments] { show(*arguments); });
  auto* ranked = add("rank", "Networks by their composite");
  add_filter(ranked);
  add_tree_flag(*ranked, arguments->tree);
  ranked->add_option("--table", arguments->table,
                     "published scores instead of the store: .csv or .tsv with a column model and "
                     "one a benchmark");
  ranked->add_flag("--json", arguments->json, "print one JSON object a network");
  ranked->callback([arguments] { rank(*arguments); });
  auto* exported = add("export", "Every result as CSV, JSON lines or Parquet");
  add_filter(exported);
  exported->add_option("--format", arguments->format, "csv, jsonl or parquet")
      ->check(one_of({"csv", "jsonl", "parquet"}))
      ->capture_default_str();
  exported->add_option("-o,--output", arguments->output, "file; default: stdout");
  exported->add_flag("--no-timings", arguments->no_timings,
                     "leave out what differs between two runs of the same work");
  exported->callback([arguments] { export_results(*arguments); });
  auto* merged = add("merge", "Take over the results of other stores");
  merged->add_option("source", arguments->sources, "folders of results")->required();
  merged->callback([arguments] { merge(*arguments); });
  auto* collected =
      add("gc", "Rewrite shards that nobody writes to as one, without superseded records");
  collected->callback([arguments] { collect(*arguments); });
}

}  // namespace cortiscore::cli
