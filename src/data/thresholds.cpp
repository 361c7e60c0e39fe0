#include "src/data/thresholds.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/data/labelled.h"
#include "src/data/table.h"

namespace cortiscore {
namespace {

// Whether it is a table with a column for them; one of numbers alone is an array.
bool from_table(const Input& input, Thresholds& out) {
  const auto& path = input.name();
  if (!input.table() && !(input.is_file() && is_table(path))) return false;
  const auto table = table_of(input);
  if (!table.has("threshold")) {
    if (input.is_file() && (table.columns.size() < 2 || table.rows.size() < 2)) return false;
    throw bad_input({path, "columns", std::to_string(table.columns.size()),
                     "subject and threshold, or thresholds alone", ""});
  }
  out.values = table.numbers("threshold");
  if (table.has("subject")) out.subjects = table.text("subject");
  return true;
}

void from_array(const Input& input, Thresholds& out) {
  const auto& path = input.name();
  const auto array = read_array_file(input);
  const auto flat = array.values.to(at::kDouble).flatten().contiguous();
  out.values.assign(flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel());
  const auto named = array.coords.find("subject");
  if (named == array.coords.end()) return;
  out.subjects = named->second.as_text();
  if (out.subjects.size() == out.values.size()) return;
  throw bad_input({path, "data",
                   std::to_string(out.values.size()) + " thresholds of " +
                       std::to_string(out.subjects.size()) + " subjects",
                   "one a subject", "Choose one condition, or average them"});
}

}  // namespace

Thresholds read_thresholds(const Input& input) {
  const auto& path = input.name();
  Thresholds out;
  if (!from_table(input, out)) from_array(input, out);
  std::set<std::string> seen;
  for (const auto& subject : out.subjects) {
    if (!seen.insert(subject).second)
      throw bad_input({path, "subject", shown(subject) + " twice", "one threshold a subject",
                       "Give each subject one threshold"});
  }
  for (size_t i = 0; i < out.values.size(); ++i) {
    if (std::isnan(out.values[i]) || (out.values[i] > 0 && std::isfinite(out.values[i]))) continue;
    throw bad_input({path,
                     "subject " + (out.subjects.empty() ? std::to_string(i) : out.subjects[i]),
                     std::to_string(out.values[i]), "a positive threshold, or NaN for none", ""});
  }
  return out;
}

}  // namespace cortiscore
