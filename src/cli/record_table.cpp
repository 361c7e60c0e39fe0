#include "src/cli/record_table.h"

#include <cmath>
#include <cstdio>

#include "src/core/printable.h"
#include "src/core/progress.h"

namespace cortiscore::cli {

double value_of(const Json& object, const char* key) {
  return object.at(key).is_null() ? std::nan("") : object.at(key).get<double>();
}

std::string cell(double value, const char* format) {
  if (std::isnan(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

void print_header() {
  erase_line();
  std::printf("%-30s %-40s %6s %8s %7s %15s  %7s  %s\n", "network", "benchmark", "raw", "ceiling",
              "ceiled", "95% interval", "seconds", "layer (region)");
}

void print_row(const Json& record) {
  const auto network = printable(record.at("model_identifier").get<std::string>());
  const auto benchmark = printable(record.at("benchmark_identifier").get<std::string>());
  erase_line();
  if (record.at("status") != "ok") {
    std::printf("%-30s %-40s failed: %s\n", network.c_str(), benchmark.c_str(),
                printable(record.at("message").get<std::string>()).c_str());
    std::fflush(stdout);
    return;
  }
  const auto& score = record.at("score");
  // Of the ceiled score; of the raw one where the data hold no ceiling.
  const auto& error = record.at(score.at("ceiling_convention").is_null() ? "raw" : "error");
  const auto interval = cell(value_of(error, "ci_lo")) + " .. " + cell(value_of(error, "ci_hi"));
  std::printf("%-30s %-40s %6s %8s %7s %15s  %7.1f  %s (%s)\n", network.c_str(), benchmark.c_str(),
              cell(value_of(score, "raw")).c_str(), cell(value_of(score, "ceiling")).c_str(),
              cell(value_of(score, "ceiled")).c_str(), interval.c_str(),
              record.at("timing_ms").at("total").get<double>() / 1e3,
              printable(record.at("layer").get<std::string>()).c_str(),
              printable(record.at("region").get<std::string>()).c_str());
  std::fflush(stdout);
}

}  // namespace cortiscore::cli
