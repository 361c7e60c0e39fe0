#include "src/cli/metric_output.h"

#include <cmath>
#include <cstdio>
#include <iostream>
#include <set>

#include <ATen/core/Tensor.h>

#include "src/cli/json_line.h"
#include "src/core/notes.h"
#include "src/core/printable.h"
#include "src/results/store.h"

namespace cortiscore::cli {
namespace {

constexpr int64_t kMostNumbers = 1000000;
const std::set<std::string> kInFilesAlone = {"predictions", "probabilities"};

std::string number_text(double value, const char* format) {
  if (std::isnan(value)) return "undefined";
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

void print_result(const MetricResult& found, const char* key, bool json) {
  auto result = found.json;
  for (const auto& [name, values] : found.arrays) {
    if (kInFilesAlone.contains(name)) continue;
    if (name == "per_neuroid" && values.numel() > kMostNumbers) {
      result[name] = nullptr;
      result["warnings"].push_back("per_neuroid holds " + std::to_string(values.numel()) +
                                   " numbers and is left out: --per-neuroid FILE.npy writes them");
      continue;
    }
    result[name] = nested(values.cpu());
  }
  if (json) {
    result["notes"] = notes_so_far();
    std::cout << json_line(result) << '\n';
    return;
  }
  const auto field = [&](const char* name) {
    return !result.contains(name) || result[name].is_null() ? NAN : result[name].get<double>();
  };
  std::printf("%s %s", key, number_text(field(key), "%.6f").c_str());
  if (!std::isnan(field("error"))) std::printf(" +- %.6f (error)", field("error"));
  if (!std::isnan(field("ci_lo"))) {
    std::printf(", %g%% interval over %s %.6f to %.6f", 100 * field("level"),
                result.value("over", std::string("neuroid")).c_str(), field("ci_lo"),
                field("ci_hi"));
  }
  std::printf("\n");
  for (const char* more : {"ceiling", "ceiled"}) {
    if (std::string(more) != key && result.contains(more))
      std::printf("%s %s\n", more, number_text(field(more), "%.6f").c_str());
  }
  if (!std::isnan(field("ceiled_ci_lo")))
    std::printf("ceiled interval %.6f to %.6f\n", field("ceiled_ci_lo"), field("ceiled_ci_hi"));
  if (result.contains("versus")) {
    const auto& v = result["versus"];
    const auto of = [&](const char* name, const char* format = "%.6f") {
      return number_text(v[name].is_null() ? NAN : v[name].get<double>(), format);
    };
    std::printf(
        "versus %s: difference %s, interval %s to %s, p (bootstrap) %s, p (permutation) %s\n",
        of("score").c_str(), of("difference").c_str(), of("ci_lo").c_str(), of("ci_hi").c_str(),
        of("p_bootstrap", "%.4g").c_str(), of("p_permutation", "%.4g").c_str());
  }
  if (!std::isnan(field("p_value"))) std::printf("permutation null: p %.4g\n", field("p_value"));
  std::fflush(stdout);
  for (const auto& warning : result["warnings"])
    std::fprintf(stderr, "warning: %s\n", printable(warning.get<std::string>()).c_str());
}

}  // namespace cortiscore::cli
