#include "cortiscore/assembly.h"

#include <cmath>
#include <limits>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

std::string number_text(double value) {
  if (std::nearbyint(value) == value && std::abs(value) < 9e15) {
    return std::to_string(static_cast<int64_t>(value));
  }
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  return buffer;
}

}  // namespace

size_t Coordinate::size() const {
  return std::visit([](const auto& v) { return v.size(); }, values);
}

std::vector<std::string> Coordinate::as_text() const {
  if (const auto* text = std::get_if<std::vector<std::string>>(&values)) return *text;
  std::vector<std::string> out;
  for (const auto v : std::get<std::vector<double>>(values)) out.push_back(number_text(v));
  return out;
}

const Coordinate& Assembly::coord(const std::string& name) const {
  const auto found = coords.find(name);
  if (found != coords.end()) return found->second;
  std::string names;
  for (const auto& [key, value] : coords) names += (names.empty() ? "" : ", ") + key;
  throw bad_input({identifier, "coordinate \"" + name + "\"", "none (there are: " + names + ")",
                   "one value a position", ""});
}

at::Tensor Trials::averaged() const {
  return at::nanmean(values, {0});
}

Trials to_trials(const Assembly& assembly) {
  auto values = assembly.values;
  if (assembly.dims.size() == 3 && assembly.dims[2] == "time_bin" && values.size(2) == 1)
    values = values.select(2, 0);
  if (values.dim() != 2 || assembly.dims[0] != "presentation" || assembly.dims[1] != "neuroid") {
    std::string dims;
    for (size_t i = 0; i < assembly.dims.size(); ++i) {
      dims += (i ? " x " : "") + assembly.dims[i] + " " +
              std::to_string(assembly.values.size(static_cast<int64_t>(i)));
    }
    throw bad_input({assembly.identifier, "dims", dims,
                     "presentation x neuroid, or those x one time_bin",
                     "Choose a time bin, or transpose the assembly"});
  }
  const auto* ids = assembly.coords.contains("stimulus_id") || !assembly.coords.contains("image_id")
                        ? &assembly.coord("stimulus_id")
                        : &assembly.coord("image_id");
  const auto stimulus_of = ids->as_text();
  Trials trials;
  std::map<std::string, int64_t> row_of;
  std::vector<int64_t> row(stimulus_of.size()), repetition(stimulus_of.size());
  std::map<std::string, int64_t> seen;
  std::vector<std::string> labels;
  if (assembly.coords.contains("repetition")) labels = assembly.coord("repetition").as_text();
  std::map<std::string, int64_t> label_index;
  if (!labels.empty()) {
    if (const auto* numbers =
            std::get_if<std::vector<double>>(&assembly.coord("repetition").values)) {
      for (const auto v : std::set<double>(numbers->begin(), numbers->end())) {
        label_index.emplace(number_text(v), static_cast<int64_t>(label_index.size()));
      }
    } else {
      for (const auto& v : std::set<std::string>(labels.begin(), labels.end())) {
        label_index.emplace(v, static_cast<int64_t>(label_index.size()));
      }
    }
  }
  int64_t n_repetitions = static_cast<int64_t>(label_index.size());
  std::set<std::pair<int64_t, int64_t>> used;
  for (size_t i = 0; i < stimulus_of.size(); ++i) {
    const auto [entry, is_new] =
        row_of.emplace(stimulus_of[i], static_cast<int64_t>(row_of.size()));
    if (is_new) trials.stimulus_ids.push_back(stimulus_of[i]);
    row[i] = entry->second;
    repetition[i] = labels.empty() ? seen[stimulus_of[i]]++ : label_index.at(labels[i]);
    n_repetitions = std::max(n_repetitions, repetition[i] + 1);
    if (!used.emplace(repetition[i], row[i]).second) {
      throw bad_input({assembly.identifier, "presentation " + std::to_string(i),
                       "stimulus \"" + stimulus_of[i] + "\" with repetition \"" + labels[i] +
                           "\" a second time",
                       "each repetition of a stimulus once", ""});
    }
  }
  trials.values =
      at::full({n_repetitions, static_cast<int64_t>(trials.stimulus_ids.size()), values.size(1)},
               std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  trials.values.index_put_({at::tensor(repetition), at::tensor(row)}, values.to(at::kDouble));
  if (assembly.coords.contains("neuroid_id")) {
    trials.neuroid_ids = assembly.coord("neuroid_id").as_text();
  } else {
    for (int64_t i = 0; i < values.size(1); ++i) trials.neuroid_ids.push_back(std::to_string(i));
  }
  return trials;
}

}  // namespace cortiscore
