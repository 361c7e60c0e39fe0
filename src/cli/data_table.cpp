#include "src/cli/data_table.h"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cortiscore/error.h"
#include "src/cli/json_line.h"
#include "src/cli/record_table.h"
#include "src/core/printable.h"
#include "src/data/called_as_ids.h"
#include "src/data/number_text.h"
#include "src/data/table.h"
#include "src/results/json.h"

namespace cortiscore::cli {
namespace {

bool missing_in(const std::string& kind, const std::string& field) {
  return kind == "number" ? is_missing(field) : field.empty();
}

// Row by row: a table of a hundred megabytes is there once.
void print_json(const Table& table, const std::vector<std::string>& kinds) {
  const auto index = index_of(table);
  Json beside = Json::array();
  for (size_t c = 0; c < table.columns.size(); ++c) {
    const auto& name = table.columns[c];
    const bool ids =
        kinds[c] == "number" && called_as_ids(name) && whole_and_distinct(table.numbers(name));
    if (ids || written_beside(name)) beside.push_back(name);
  }
  std::cout << "{\"path\":" << json_line(table.path)
            << ",\"encoding\":" << json_line(table.encoding)
            << ",\"separator\":" << json_line(table.separator)
            << ",\"decimal\":" << json_line(table.decimal)
            << ",\"columns\":" << json_line(table.columns) << ",\"kinds\":" << json_line(kinds)
            << ",\"beside\":" << json_line(beside)
            << ",\"index\":" << (index.empty() ? "null" : json_line(index))
            << ",\"lines\":" << json_line(table.lines) << ",\"notes\":" << json_line(table.notes)
            << ",\"rows\":[";
  for (size_t r = 0; r < table.rows.size(); ++r) {
    Json row = Json::array();
    for (size_t c = 0; c < kinds.size(); ++c) {
      const auto& field = table.rows[r][c];
      row.push_back(missing_in(kinds[c], field) ? Json(nullptr) : Json(field));
    }
    std::cout << (r ? "," : "") << json_line(row);
  }
  std::cout << "]}\n";
}

void print_text(const Table& table, const std::vector<std::string>& kinds) {
  std::printf("%s: %zu rows, %zu columns; %s, separated by %ss, decimal %s\n",
              printable(table.path).c_str(), table.rows.size(), table.columns.size(),
              table.encoding.c_str(), table.separator.c_str(), table.decimal.c_str());
  size_t widest = 6;
  for (const auto& name : table.columns)
    widest = std::max(widest, std::min<size_t>(name.size(), 40));
  for (size_t c = 0; c < kinds.size(); ++c) {
    const auto missing = std::count_if(table.rows.begin(), table.rows.end(), [&](const auto& row) {
      return missing_in(kinds[c], row[c]);
    });
    std::printf("  %-*s  %s", static_cast<int>(widest), printable(table.columns[c]).c_str(),
                kinds[c].c_str());
    if (missing) std::printf(", %lld missing", static_cast<long long>(missing));
    std::printf("\n");
  }
}

void print_table(const std::string& path, bool json) {
  const auto table = read_table(path);
  std::vector<std::string> kinds;
  for (size_t c = 0; c < table.columns.size(); ++c) kinds.push_back(kind_of_column(table, c));
  if (json)
    print_json(table, kinds);
  else
    print_text(table, kinds);
}

}  // namespace

void add_data_table(CLI::App& data, Outcome& outcome) {
  struct Arguments {
    std::vector<std::string> files;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  auto* verb = data.add_subcommand(
      "table", "How .csv, .tsv and .txt files are understood: encoding, separator, columns, rows");
  verb->add_option("files", arguments->files, "tables; of several, each that is refused is named")
      ->required();
  verb->add_flag("--json", arguments->json, "print a JSON object a file, on a line, with its rows");
  verb->callback([arguments, &outcome] {
    const auto& a = *arguments;
    if (a.files.size() == 1) return print_table(a.files[0], a.json);
    for (const auto& file : a.files) {
      try {
        print_table(file, a.json);
      } catch (const Error& e) {
        outcome.exit_code = e.exit_code();
        if (a.json)
          std::cout << "{\"path\":" << json_line(file) << ",\"error\":" << json_line(e.what())
                    << "}\n";
        else
          std::fprintf(stderr, "cortiscore: %s\n", e.what());
      }
    }
  });
}

}  // namespace cortiscore::cli
