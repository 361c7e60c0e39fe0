#include "src/cli/array_input.h"

#include <algorithm>
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

const std::vector<std::string> kRows = {"presentation", "neuroid"};
const std::vector<std::string> kRowsInTime = {"presentation", "neuroid", "time_bin"};

Variables::Variables(const std::vector<std::string>& given, const std::vector<std::string>& flags) {
  for (const auto& entry : given) {
    const auto equals = entry.find('=');
    const auto flag = entry.substr(0, equals == std::string::npos ? 0 : equals);
    const bool one = std::find(flags.begin(), flags.end(), flag) != flags.end();
    if (!names_.emplace(one ? flag : "", one ? entry.substr(equals + 1) : entry).second) {
      throw Error(ErrorKind::kUsage, "--variable: found " + entry + " beside another for " +
                                         (one ? "--" + flag : std::string("every file")) +
                                         ", expected NAME once, or FLAG=NAME once a flag.");
    }
  }
}

std::string Variables::of(const std::string& flag, const std::string& path) const {
  const bool single = holds_one_array(path);
  const auto own = names_.find(flag);
  if (own != names_.end() && single) {
    throw Error(ErrorKind::kUsage,
                "--variable: found " + flag + "=" + own->second + ", but " + path +
                    " holds one array alone. Name arrays of .nc, .h5, .hdf5 or .npz files.");
  }
  if (own != names_.end()) return own->second;
  const auto all = names_.find("");
  return single || all == names_.end() ? "" : all->second;
}

void Rows::expect(int64_t n, const std::string& path) {
  if (n_ < 0) {
    n_ = n;
    first_ = path;
  }
  if (n == n_) return;
  throw bad_input({path, "presentations", std::to_string(n),
                   std::to_string(n_) + " as in " + first_,
                   "Rows of both must be the same stimuli in the same order"});
}

std::vector<int64_t> Rows::match(const std::vector<std::string>& ids,
                                 int64_t n,
                                 const std::string& path) {
  LabelledArray rows;
  rows.path = path;
  rows.values = at::arange(n, at::kLong);
  rows.presentation_axes = {0};
  rows.stimulus_ids = ids;
  match(rows);
  const auto order = rows.values.contiguous();
  return {order.const_data_ptr<int64_t>(), order.const_data_ptr<int64_t>() + order.numel()};
}

// Labels that count rows are their ids as soon as another file has the same labels of its dim in
// another order: that is what xarray aligns by, and what is left where rows were shuffled or
// sorted.
void Rows::name_by_labels(LabelledArray& array) {
  if (array.ids_are_labels && ids_.empty() && same_labels(counted_, array.stimulus_ids)) {
    ids_ = counted_;
    ids_are_labels_ = true;
    named_by_ = counted_by_;
    std::erase(unnamed_, counted_by_);
  } else if (array.stimulus_ids.empty() && ids_are_labels_ &&
             same_labels(ids_, array.counted_labels)) {
    array.stimulus_ids = array.counted_labels;
  }
}

void Rows::match(LabelledArray& array, const std::string& action) {
  name_by_labels(array);
  if (array.stimulus_ids.empty()) {
    expect(array.n_presentations(), array.path);
    unnamed_.push_back(array.path);
    if (counted_.empty() && !array.counted_labels.empty()) {
      counted_ = array.counted_labels;
      counted_by_ = array.path;
    }
  } else if (ids_.empty()) {
    expect(array.n_presentations(), array.path);
    ids_ = array.stimulus_ids;
    ids_are_labels_ = array.ids_are_labels;
    named_by_ = array.path;
  } else {
    align_presentations(array, ids_, named_by_, action);
  }
}

void Rows::say() const {
  if (unnamed_.empty()) return;
  std::string files;
  for (size_t i = 0; i < unnamed_.size(); ++i) {
    const auto so_far = unnamed_.begin() + static_cast<int64_t>(i);
    if (std::find(unnamed_.begin(), so_far, unnamed_[i]) == so_far)
      files += (files.empty() ? "" : ", ") + unnamed_[i];
  }
  note(files, "no stimulus_id; rows are matched by place" +
                  (ids_.empty() ? "" : " to those of " + named_by_));
}

std::vector<std::string> ids_of(const Table& table) {
  for (const auto* name : {"stimulus_id", "image_id"}) {
    if (table.has(name)) return table.column(name);
  }
  return {};
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
    auto all = result;
    auto& notes = all["notes"];
    if (notes.is_null()) notes = Json::array();
    for (const auto& said : notes_so_far()) {
      if (std::find(notes.begin(), notes.end(), said) == notes.end()) notes.push_back(said);
    }
    std::cout << canonical(all) << '\n';
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
