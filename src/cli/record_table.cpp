#include "src/cli/record_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "src/cli/table.h"
#include "src/core/printable.h"
#include "src/core/progress.h"
#include "src/results/columns.h"

namespace cortiscore::cli {
namespace {

const std::vector<Column> kRecord = {{0, 30, true}, {1, 40, true}, {1, 6}, {1, 8},
                                     {1, 7},        {1, 15},       {2, 7}, {2, 24, true}};

// The layer; and of those that were chosen in every split, how often it was.
std::string layer_cell(const Json& record) {
  const std::string layer = record.at("layer");
  auto text = printable(layer);
  const auto selection = record.find("layer_selection");
  if (selection == record.end() || selection->value("method", Json()) != "nested") return text;
  const auto chosen = selection->value("chosen", Json::array());
  const auto wins = std::count(chosen.begin(), chosen.end(), Json(layer));
  return text + " " + std::to_string(wins) + "/" + std::to_string(chosen.size());
}

}  // namespace

bool is_within_null(const Json& record) {
  return cell_of(record, "null.within") == true;
}

double value_of(const Json& object, const char* key) {
  return object.at(key).is_null() ? std::nan("") : object.at(key).get<double>();
}

std::string cell(double value, const char* format) {
  if (std::isnan(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

void print_record_cells(const std::vector<std::string>& cells) {
  print_cells(kRecord, cells);
}

void print_header() {
  erase_line();
  print_record_cells({"network", "benchmark", "raw", "ceiling", "ceiled", "95% interval", "seconds",
                      "layer (region)"});
}

void print_row(const Json& record) {
  const auto network = printable(record.at("model_identifier").get<std::string>());
  const auto benchmark = printable(record.at("benchmark_identifier").get<std::string>());
  erase_line();
  if (record.at("status") == "failed") {
    print_cells(
        {kRecord[0], kRecord[1], {1, 24, true}},
        {network, benchmark, "failed: " + printable(record.at("message").get<std::string>())});
    std::fflush(stdout);
    return;
  }
  const auto& score = record.at("score");
  if (record.at("status") == "imported") {
    print_record_cells(
        {network, benchmark, cell(value_of(score, "raw")), "-", cell(value_of(score, "ceiled")),
         "-", "-",
         "imported: " + printable(record.at("imported").at("source").get<std::string>())});
    std::fflush(stdout);
    return;
  }
  // Of the ceiled score; of the raw one where the data hold no ceiling.
  const auto& error = record.at(score.at("ceiling_convention").is_null() ? "raw" : "error");
  const auto interval = cell(value_of(error, "ci_lo")) + " .. " + cell(value_of(error, "ci_hi"));
  const auto raw = cell(value_of(score, "raw")) + (is_within_null(record) ? "~" : "");
  print_record_cells(
      {network, benchmark, raw, cell(value_of(score, "ceiling")), cell(value_of(score, "ceiled")),
       interval, cell(record.at("timing_ms").at("total").get<double>() / 1e3, "%.1f"),
       layer_cell(record) + " (" + printable(record.at("region").get<std::string>()) + ")"});
  std::fflush(stdout);
}

}  // namespace cortiscore::cli
