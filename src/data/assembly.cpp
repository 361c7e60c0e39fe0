#include "cortiscore/assembly.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <type_traits>

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

namespace {

Assembly keep(const Assembly& assembly, const std::string& dim, const std::vector<int64_t>& kept) {
  auto out = assembly;
  const auto axis = std::find(out.dims.begin(), out.dims.end(), dim) - out.dims.begin();
  out.values = out.values.index_select(axis, at::tensor(kept, at::kLong));
  for (auto& [name, coord] : out.coords) {
    if (coord.dim != dim) continue;
    std::visit(
        [&](auto& all) {
          std::remove_reference_t<decltype(all)> some;
          for (const auto i : kept) some.push_back(all[static_cast<size_t>(i)]);
          all = std::move(some);
        },
        coord.values);
  }
  return out;
}

std::vector<double> numbers_of(const Assembly& assembly,
                               const std::string& coordinate,
                               const char* expected) {
  const auto* values = std::get_if<std::vector<double>>(&assembly.coord(coordinate).values);
  if (!values) {
    throw bad_input(
        {assembly.identifier, "coordinate \"" + coordinate + "\"", "text", expected, ""});
  }
  return *values;
}

}  // namespace

Assembly select(const Assembly& assembly,
                const std::string& coordinate,
                const std::vector<std::string>& accepted) {
  const auto& chosen = assembly.coord(coordinate);
  const auto texts = chosen.as_text();
  const std::set<std::string> wanted(accepted.begin(), accepted.end());
  std::vector<int64_t> kept;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (wanted.contains(texts[i])) kept.push_back(static_cast<int64_t>(i));
  }
  const auto joined = [](const std::set<std::string>& words) {
    std::string list;
    for (const auto& word : words) list += (list.empty() ? "\"" : ", \"") + word + "\"";
    return list;
  };
  if (kept.empty()) {
    throw bad_input({assembly.identifier, "coordinate \"" + coordinate + "\"",
                     joined({texts.begin(), texts.end()}), joined(wanted), ""});
  }
  return keep(assembly, chosen.dim, kept);
}

Assembly select_above(const Assembly& assembly, const std::string& coordinate, double threshold) {
  const auto values = numbers_of(assembly, coordinate, "numbers");
  std::vector<int64_t> kept;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] > threshold) kept.push_back(static_cast<int64_t>(i));
  }
  if (kept.empty()) {
    throw bad_input({assembly.identifier, "coordinate \"" + coordinate + "\"",
                     std::to_string(values.size()) + " values, none above",
                     "some above " + number_text(threshold), ""});
  }
  return keep(assembly, assembly.coord(coordinate).dim, kept);
}

namespace {

std::vector<int64_t> places_within(const Assembly& assembly, double start_ms, double end_ms) {
  const auto starts = numbers_of(assembly, "time_bin_start", "milliseconds");
  const auto ends = numbers_of(assembly, "time_bin_end", "milliseconds");
  std::vector<int64_t> kept;
  for (size_t i = 0; i < starts.size(); ++i) {
    if (starts[i] >= start_ms && ends[i] <= end_ms) kept.push_back(static_cast<int64_t>(i));
  }
  if (kept.empty()) {
    throw bad_input({assembly.identifier, "time_bin",
                     std::to_string(starts.size()) + " bins, none within",
                     number_text(start_ms) + " to " + number_text(end_ms) + " ms", ""});
  }
  return kept;
}

}  // namespace

std::vector<std::pair<double, double>> bins_within(const Assembly& assembly,
                                                   double start_ms,
                                                   double end_ms) {
  const auto starts = numbers_of(assembly, "time_bin_start", "milliseconds");
  const auto ends = numbers_of(assembly, "time_bin_end", "milliseconds");
  std::vector<std::pair<double, double>> bins;
  for (const auto place : places_within(assembly, start_ms, end_ms))
    bins.emplace_back(starts[static_cast<size_t>(place)], ends[static_cast<size_t>(place)]);
  return bins;
}

Assembly bins_as_neuroids(const Assembly& assembly, double start_ms, double end_ms) {
  const auto bins = places_within(assembly, start_ms, end_ms);
  auto out = keep(assembly, "time_bin", bins);
  const auto starts = out.coord("time_bin_start").as_text(),
             ends = out.coord("time_bin_end").as_text();
  const auto axis_of = [&](const char* dim) {
    const auto found = std::find(out.dims.begin(), out.dims.end(), dim);
    if (found == out.dims.end())
      throw bad_input({assembly.identifier, "dims", std::string("no ") + dim,
                       "presentation, neuroid and time_bin", ""});
    return found - out.dims.begin();
  };
  out.values =
      out.values.permute({axis_of("presentation"), axis_of("neuroid"), axis_of("time_bin")})
          .flatten(1);
  out.dims = {"presentation", "neuroid"};
  std::erase_if(out.coords, [](const auto& entry) { return entry.second.dim == "time_bin"; });
  if (!out.coords.contains("neuroid_id")) {
    std::vector<std::string> places;
    for (int64_t i = 0; i < out.values.size(1) / static_cast<int64_t>(bins.size()); ++i)
      places.push_back(std::to_string(i));
    out.coords["neuroid_id"] = {"neuroid", std::move(places)};
  }
  for (auto& [name, coord] : out.coords) {
    if (coord.dim != "neuroid") continue;
    std::visit(
        [&](auto& all) {
          std::remove_reference_t<decltype(all)> repeated;
          for (const auto& value : all) repeated.insert(repeated.end(), bins.size(), value);
          all = std::move(repeated);
        },
        coord.values);
  }
  auto ids = out.coord("neuroid_id").as_text();
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i] += "@" + starts[i % bins.size()] + "-" + ends[i % bins.size()];
  out.coords["neuroid_id"] = {"neuroid", std::move(ids)};
  return out;
}

Assembly mean_of_bins(const Assembly& assembly, double start_ms, double end_ms) {
  const auto kept = places_within(assembly, start_ms, end_ms);
  auto out = assembly;
  const auto axis = std::find(out.dims.begin(), out.dims.end(), "time_bin") - out.dims.begin();
  const auto bins = out.values.index_select(axis, at::tensor(kept, at::kLong));
  out.values = kept.size() == 1 ? bins : at::nanmean(bins.to(at::kDouble), {axis}, true);
  std::erase_if(out.coords, [](const auto& entry) { return entry.second.dim == "time_bin"; });
  return out;
}

Trials to_trials(const Assembly& assembly, const std::string& repetition_name) {
  auto values = assembly.values;
  auto dims = assembly.dims;
  if (const auto bin = std::find(dims.begin(), dims.end(), "time_bin");
      bin != dims.end() && values.size(bin - dims.begin()) == 1) {
    values = values.squeeze(bin - dims.begin());
    dims.erase(bin);
  }
  if (dims == std::vector<std::string>{"neuroid", "presentation"}) {
    values = values.t();
    std::swap(dims[0], dims[1]);
  }
  if (dims != std::vector<std::string>{"presentation", "neuroid"}) {
    std::string found;
    for (size_t i = 0; i < assembly.dims.size(); ++i) {
      found += (i ? " x " : "") + assembly.dims[i] + " " +
               std::to_string(assembly.values.size(static_cast<int64_t>(i)));
    }
    throw bad_input({assembly.identifier, "dims", found,
                     "presentation x neuroid, or those x one time_bin",
                     "Choose a time bin, or transpose the assembly"});
  }
  const auto* ids = assembly.coords.contains("stimulus_id") || !assembly.coords.contains("image_id")
                        ? &assembly.coord("stimulus_id")
                        : &assembly.coord("image_id");
  const auto stimulus_of = ids->as_text();
  const auto check_named = [&](const Coordinate& coordinate, const std::string& name) {
    const auto* numbers = std::get_if<std::vector<double>>(&coordinate.values);
    if (!numbers) return;
    const auto none = std::find_if(numbers->begin(), numbers->end(),
                                   [](double value) { return std::isnan(value); });
    if (none != numbers->end()) {
      throw bad_input({assembly.identifier, name,
                       "NaN at presentation " + std::to_string(none - numbers->begin()),
                       "a number or name for every presentation",
                       "Fill it in, or leave the presentation out"});
    }
  };
  check_named(*ids, "stimulus_id");
  Trials trials;
  std::map<std::string, int64_t> row_of;
  std::vector<int64_t> row(stimulus_of.size()), repetition(stimulus_of.size());
  std::map<std::string, int64_t> seen;
  std::vector<std::string> labels;
  if (assembly.coords.contains(repetition_name)) {
    check_named(assembly.coord(repetition_name), repetition_name);
    labels = assembly.coord(repetition_name).as_text();
  }
  std::map<std::string, int64_t> label_index;
  if (!labels.empty()) {
    if (const auto* numbers =
            std::get_if<std::vector<double>>(&assembly.coord(repetition_name).values)) {
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
