#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <ostream>
#include <set>
#include <utility>

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/commands.h"
#include "src/cli/composite.h"
#include "src/cli/flags.h"
#include "src/cli/json_line.h"
#include "src/cli/python.h"
#include "src/cli/record_table.h"
#include "src/core/host.h"
#include "src/core/printable.h"
#include "src/core/progress.h"
#include "src/core/whole_file.h"
#include "src/data/table.h"
#include "src/kinds/kinds.h"
#include "src/ranking/import_table.h"
#include "src/results/columns.h"
#include "src/results/store.h"

namespace cortiscore::cli {
namespace {

struct Arguments {
  std::string store, format = "csv", output, tree = "average_vision", table, provenance;
  std::vector<std::string> sources;
  RecordFilter filter;
  std::string networks, device, tolerance;
  std::vector<std::string> renames;
  bool json = false, no_timings = false, rescore = false, accept_unverified = false;
};

void report_damage(Store& store) {
  for (const auto& sentence : store.damage()) log_line("warning: " + sentence);
}

void show(const Arguments& arguments) {
  auto store = open_store(results_folder(arguments.store));
  int64_t n = 0, failed = 0, within_null = 0;
  store.each(arguments.filter, [&](const Json& record) {
    if (arguments.json) {
      std::cout << json_line(record) << '\n';
    } else {
      if (n == 0) print_header();
      print_row(record);
    }
    ++n;
    failed += record.at("status") == "failed";
    within_null += is_within_null(record);
  });
  std::cout.flush();
  if (!arguments.json)
    log_line(std::to_string(n) + " results in " + store.folder() +
             (failed ? ", of which " + std::to_string(failed) + " failed" : ""));
  if (!arguments.json && within_null > 0)
    log_line("~: luck reaches the raw score in more than one draw of twenty (null in the record)");
  report_damage(store);
}

// RFC 4180, and no cell that a spreadsheet would take for a formula.
// Nor one that a terminal would obey.
std::string csv_text(std::string text) {
  text = printable(text);
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
      out << json_line(arguments.no_timings ? reproducible(record) : record) << '\n';
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
  const bool parquet = arguments.format == "parquet";
  auto rows = arguments;
  if (parquet) rows.format = "csv";
  const auto written =
      arguments.output + (parquet ? ".partial." + std::to_string(::getpid()) : std::string());
  write_whole(written, [&](std::ostream& file) { write_export(rows, file); });
  if (parquet) become_python("cortiscore.parquet", {written, arguments.output});
}

void import_table(const Arguments& arguments) {
  std::vector<std::string> notes;
  const auto records =
      imported_records(arguments.table, find_tree(arguments.tree), manifests_of(all_benchmarks()),
                       arguments.provenance, utc_now(), notes);
  for (const auto& note : notes) log_line("note: " + note);
  if (records.empty()) {
    throw bad_input({arguments.table, "columns of benchmarks", "no score in any row",
                     "at least one", "Choose another --tree, or another table"});
  }
  Store store(results_folder(arguments.store));
  std::set<std::pair<std::string, std::string>> there, published;
  store.each({"", "", "imported"}, [&](const Json& record) {
    there.emplace(record.at("key"), record.at("model_identifier"));
    published.emplace(record.at("model_identifier"), record.at("benchmark_identifier"));
  });
  int64_t taken = 0, replaced = 0;
  for (const auto& record : records) {
    if (!there.emplace(record.at("key"), record.at("model_identifier")).second) continue;
    replaced +=
        published.contains({record.at("model_identifier"), record.at("benchmark_identifier")}) ? 1
                                                                                               : 0;
    store.append(record);
    ++taken;
  }
  std::printf("%s: %lld scores taken, %lld there already\n", printable(arguments.table).c_str(),
              static_cast<long long>(taken),
              static_cast<long long>(static_cast<int64_t>(records.size()) - taken));
  if (replaced > 0) {
    log_line("note: " + std::to_string(replaced) +
             " of them are of networks and benchmarks that another table had a score of: the last "
             "one counts");
  }
}

// Folders are stores; a file is a submission, which Python checks (docs/submission.md).
bool is_submission(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

[[noreturn]] void merge_submissions(const Arguments& arguments) {
  std::vector<std::string> words = {"merge", "--results", results_folder(arguments.store)};
  if (arguments.rescore) words.emplace_back("--rescore");
  if (!arguments.networks.empty()) words.insert(words.end(), {"--networks", arguments.networks});
  if (arguments.accept_unverified) words.emplace_back("--accept-unverified");
  if (!arguments.device.empty()) words.insert(words.end(), {"--device", arguments.device});
  if (!arguments.tolerance.empty()) words.insert(words.end(), {"--tolerance", arguments.tolerance});
  for (const auto& rename : arguments.renames) words.insert(words.end(), {"--rename", rename});
  for (const auto& source : arguments.sources) {
    if (!is_submission(source)) {
      throw Error(ErrorKind::kUsage, printable(source) +
                                         ": found no file, expected only submissions, or only "
                                         "folders of results. Merge them one after the other.");
    }
    words.push_back(source);
  }
  become_python("cortiscore.submission", words);
}

void merge(const Arguments& arguments) {
  for (const auto& source : arguments.sources) {
    std::error_code ignored;
    if (std::filesystem::exists(source, ignored)) continue;
    throw bad_input({source, "", "no such file or folder",
                     "a folder of results, or a file that `cortiscore submit` wrote",
                     "Check the path"});
  }
  const bool submissions =
      std::any_of(arguments.sources.begin(), arguments.sources.end(), is_submission);
  if (submissions) return merge_submissions(arguments);
  const bool of_submissions = arguments.rescore || arguments.accept_unverified ||
                              !arguments.networks.empty() || !arguments.device.empty() ||
                              !arguments.tolerance.empty() || !arguments.renames.empty();
  if (of_submissions) {
    throw Error(
        ErrorKind::kUsage,
        "--rescore, --networks, --device, --tolerance, --rename and --accept-unverified are "
        "of submissions: found folders of results, expected files that `cortiscore submit` "
        "wrote.");
  }
  Store store(results_folder(arguments.store));
  for (const auto& source : arguments.sources) {
    const auto merged = store.merge(source);
    auto other = open_store(source);
    report_damage(other);
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
  auto* verb = app.add_subcommand("results",
                                  "The store: show, rank, export, import, merge, collect garbage");
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
    sub->add_option("--status", arguments->filter.status, "ok, failed or imported")
        ->check(one_of({"ok", "failed", "imported"}));
  };
  auto* shown = add("show", "One line a result; may run while a sweep writes");
  add_filter(shown);
  shown->add_flag("--json", arguments->json, "print one JSON record a line");
  shown->callback([arguments] { show(*arguments); });
  add_rank(*verb);
  auto* exported = add("export", "Every result as CSV, JSON lines or Parquet");
  add_filter(exported);
  exported->add_option("--format", arguments->format, "csv, jsonl or parquet")
      ->check(one_of({"csv", "jsonl", "parquet"}))
      ->capture_default_str();
  exported->add_option("-o,--output", arguments->output, "file; default: stdout");
  exported->add_flag("--no-timings", arguments->no_timings,
                     "leave out what differs between two runs of the same work");
  exported->callback([arguments] { export_results(*arguments); });
  auto* merged = add("merge", "Take over the results of other stores, or submissions");
  merged->add_option("source", arguments->sources, "folders of results, or files of `submit`")
      ->required();
  merged->add_flag("--rescore", arguments->rescore,
                   "score what submissions hold anew, and take what comes out the same");
  merged->add_option("--networks", arguments->networks,
                     "a folder with the networks that submissions do not bring");
  merged->add_flag("--accept-unverified", arguments->accept_unverified,
                   "take what cannot be scored anew here as well");
  merged->add_option("--device", arguments->device, "of --rescore: cpu, cuda, ...");
  merged->add_option("--tolerance", arguments->tolerance,
                     "of --rescore: how far a score may lie from the submitted one [1e-6]");
  merged
      ->add_option("--rename", arguments->renames,
                   "OLD=NEW: another name for a network, where one of that name is here")
      ->expected(1)
      ->take_all();
  merged->callback([arguments] { merge(*arguments); });
  add_python_verb(*verb, "verify", "Check a submission: its hashes, and what its records hold",
                  "cortiscore.submission", {"verify"});
  auto* imported = add("import", "Take over published scores from a table, marked as imported");
  imported->add_option("table", arguments->table, ".csv or .tsv: a column model, one a benchmark")
      ->required();
  add_tree_flag(*imported, arguments->tree);
  imported
      ->add_option("--source", arguments->provenance,
                   "where the table is from: a citation or an address")
      ->required();
  imported->callback([arguments] { import_table(*arguments); });
  auto* collected =
      add("gc", "Rewrite shards that nobody writes to as one, without superseded records");
  collected->callback([arguments] { collect(*arguments); });
}

}  // namespace cortiscore::cli
