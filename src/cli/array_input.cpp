#include "src/cli/array_input.h"

#include <cmath>
#include <cstdio>
#include <iostream>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/core/printable.h"
#include "src/data/arrays.h"
#include "src/data/json_file.h"
#include "src/results/store.h"
#include "src/score/diagnostics.h"

namespace cortiscore::cli {

Splits read_splits(const std::string& path, int64_t n) {
  Splits splits;
  const auto indices = [&](const Json& list) {
    for (const auto& index : list) {
      if (!index.is_number_integer())
        throw bad_input({path, "split " + std::to_string(splits.size()), index.dump(),
                         "whole numbers: presentations, counted from 0", ""});
    }
    return list.get<std::vector<int64_t>>();
  };
  try {
    for (const auto& entry : read_json(path, "a list of {\"train\": [...], \"test\": [...]}")) {
      splits.push_back({indices(entry.at("train")), indices(entry.at("test"))});
    }
  } catch (const Json::exception& e) {
    throw bad_input({path, "", e.what(), "a list of {\"train\": [...], \"test\": [...]}", ""});
  }
  check_splits(splits, n, path);
  return splits;
}

at::Tensor read_dims(const std::string& path, int64_t dims, const std::string& expected) {
  auto values = read_array(path);
  if (values.dim() == dims - 1) values = values.unsqueeze(-1);
  if (values.dim() != dims) {
    throw bad_input(
        {path, "dims", std::to_string(values.dim()), std::to_string(dims) + ": " + expected, ""});
  }
  return values;
}

void add_values(Json& result, const char* key, const at::Tensor& values, const std::string& flag) {
  constexpr int64_t kMost = 1000000;
  if (values.numel() <= kMost) {
    result[key] = nested(values);
    return;
  }
  result[key] = nullptr;
  result["warnings"].push_back(std::string(key) + " holds " + std::to_string(values.numel()) +
                               " numbers and is left out: " + flag + " FILE.npy writes them");
}

void add_interval(Json& result, const Resampled& resampled, const ResampleOptions& options) {
  result["ci_lo"] = number(resampled.ci_lo);
  result["ci_hi"] = number(resampled.ci_hi);
  result["bootstrap_error"] = number(resampled.error);
  std::string over;
  for (const auto& [axis, size] : options.over) over += (over.empty() ? "" : ",") + name_of(axis);
  result["over"] = over;
  result["level"] = options.level;
  for (const auto& warning : resampled.warnings) result["warnings"].push_back(warning);
}

namespace {

std::string number_text(double value, const char* format) {
  if (std::isnan(value)) return "undefined";
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

void print_result(Json result, const char* key, bool json) {
  result["warnings"] = with_reason(result["warnings"].get<std::vector<std::string>>(),
                                   result[key].is_null() ? NAN : 0);
  if (json) {
    result["notes"] = notes_so_far();
    std::cout << canonical(result) << '\n';
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
