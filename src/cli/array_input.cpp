#include "src/cli/array_input.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/data/arrays.h"

namespace cortiscore::cli {

Splits read_splits(const std::string& path, int64_t n) {
  Splits splits;
  try {
    for (const auto& entry : Json::parse(read_file(path))) {
      splits.push_back({entry.at("train").get<std::vector<int64_t>>(),
                        entry.at("test").get<std::vector<int64_t>>()});
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
}

void print_result(const Json& result, const char* key, bool json) {
  if (json) {
    auto all = result;
    auto& notes = all["notes"];
    if (notes.is_null()) notes = Json::array();
    for (const auto& said : notes_so_far()) {
      if (std::find(notes.begin(), notes.end(), said) == notes.end()) notes.push_back(said);
    }
    std::cout << all.dump() << '\n';
    return;
  }
  const auto field = [&](const char* name) {
    return !result.contains(name) || result[name].is_null() ? NAN : result[name].get<double>();
  };
  std::printf("%s %.6f", key, field(key));
  if (!std::isnan(field("error"))) std::printf(" +- %.6f (error)", field("error"));
  if (!std::isnan(field("ci_lo"))) {
    std::printf(", %g%% interval over %s %.6f to %.6f", 100 * field("level"),
                result.value("over", std::string("neuroid")).c_str(), field("ci_lo"),
                field("ci_hi"));
  }
  std::printf("\n");
  for (const char* more : {"ceiling", "ceiled"}) {
    if (std::string(more) != key && !std::isnan(field(more)))
      std::printf("%s %.6f\n", more, field(more));
  }
  if (!std::isnan(field("ceiled_ci_lo")))
    std::printf("ceiled interval %.6f to %.6f\n", field("ceiled_ci_lo"), field("ceiled_ci_hi"));
  if (result.contains("versus")) {
    const auto& v = result["versus"];
    const auto of = [&](const char* name) {
      return v[name].is_null() ? NAN : v[name].get<double>();
    };
    std::printf(
        "versus %.6f: difference %.6f, interval %.6f to %.6f, p (bootstrap) %.4g, p (permutation) "
        "%.4g\n",
        of("score"), of("difference"), of("ci_lo"), of("ci_hi"), of("p_bootstrap"),
        of("p_permutation"));
  }
  if (!std::isnan(field("p_value"))) std::printf("permutation null: p %.4g\n", field("p_value"));
  std::fflush(stdout);
  for (const auto& warning : result["warnings"])
    std::fprintf(stderr, "warning: %s\n", warning.get<std::string>().c_str());
}

}  // namespace cortiscore::cli
