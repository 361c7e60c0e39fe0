#include "src/benchmark/responses.h"

#include <algorithm>
#include <cstdio>
#include <functional>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/data/arrays.h"
#include "src/data/choices.h"
#include "src/data/netcdf.h"
#include "src/score/diagnostics.h"

namespace cortiscore {
namespace {

using Bins = AssemblyFile::Bins;

Assembly part_of(const std::string& path, const AssemblyFile& entry) {
  auto assembly = read_assembly(path);
  for (const auto& [coordinate, accepted] : entry.where)
    assembly = select(assembly, coordinate, accepted);
  if (!entry.time_ms || entry.bins == Bins::kPopulations) return assembly;
  const auto [start, end] = *entry.time_ms;
  return entry.bins == Bins::kNeuroids ? bins_as_neuroids(assembly, start, end)
                                       : mean_of_bins(assembly, start, end);
}

Trials in_order_of(const StimulusSet& stimuli, Trials trials) {
  const auto order = stimuli.order_of(trials.stimulus_ids);
  std::vector<std::string> ordered;
  for (const auto i : order) ordered.push_back(trials.stimulus_ids[static_cast<size_t>(i)]);
  trials.values = trials.values.index_select(1, at::tensor(order, at::kLong));
  trials.stimulus_ids = std::move(ordered);
  return trials;
}

// Where one file has the neuroids of another.
at::Tensor columns_of(const std::vector<std::string>& wanted,
                      const std::vector<std::string>& there,
                      const std::string& path) {
  if (distinct(there).size() != there.size()) {
    throw bad_input(
        {path, "neuroid_id", "one of them twice", "every neuroid of the test assembly, once", ""});
  }
  return at::tensor(codes_among(wanted, there, path, "neuroid_id"), at::kLong);
}

at::Tensor stored_ceiling(const Assembly& assembly,
                          const std::string& coordinate,
                          bool noise_ceiling_percent) {
  const auto* values = std::get_if<std::vector<double>>(&assembly.coord(coordinate).values);
  if (!values) {
    throw bad_input({assembly.identifier, "coordinate \"" + coordinate + "\"", "text",
                     "every neuroid's ceiling", ""});
  }
  const auto stored = at::tensor(*values);
  return noise_ceiling_percent ? (stored / 100).sqrt() : stored;
}

// The stimuli that all populations must have.
struct StimulusIds {
  std::vector<std::string> train, test;
};

void agree(std::vector<std::string>& known,
           const std::vector<std::string>& found,
           const std::string& path,
           const Manifest& benchmark) {
  if (known.empty()) known = found;
  if (known != found) {
    throw bad_input({path, "stimulus_id", std::to_string(found.size()) + " stimuli",
                     "the same " + std::to_string(known.size()) + " as the other populations of " +
                         benchmark.identifier,
                     "Populations with other stimuli are another benchmark"});
  }
}

// A population of a file: its name, and what it takes of an assembly.
struct PopulationPart {
  std::string name;
  std::function<Assembly(const Assembly&)> take;
};

std::vector<PopulationPart> parts_of(const Assembly& assembly, const AssemblyFile& entry) {
  std::vector<PopulationPart> parts;
  if (entry.bins == Bins::kPopulations) {
    const auto [start, end] = *entry.time_ms;
    for (const auto& [begin, stop] : bins_within(assembly, start, end)) {
      const auto b = begin, s = stop;
      char name[64];
      std::snprintf(name, sizeof name, "%g-%g ms", b, s);
      parts.push_back({name, [b, s](const Assembly& all) { return mean_of_bins(all, b, s); }});
    }
  } else if (!entry.each.empty()) {
    for (const auto& value : distinct(assembly.coord(entry.each).as_text())) {
      parts.push_back({entry.each + " " + value, [&entry, value](const Assembly& all) {
                         return select(all, entry.each, {value});
                       }});
    }
  } else {
    parts.push_back({entry.identifier, [](const Assembly& all) { return all; }});
  }
  return parts;
}

// How many entries the dim of a coordinate has.
int64_t count_along(const Assembly& assembly, const std::string& coordinate) {
  const auto& dim = assembly.coord(coordinate).dim;
  return assembly.values.size(std::find(assembly.dims.begin(), assembly.dims.end(), dim) -
                              assembly.dims.begin());
}

// Appends a file's populations: one, or one for every value of the coordinate `each`, or every time
// bin.
void load_populations(const Manifest& benchmark,
                      const ResponseFiles& files,
                      const AssemblyFile& entry,
                      const StimulusSet& train_stimuli,
                      const StimulusSet& test_stimuli,
                      StimulusIds& ids,
                      Responses& data) {
  const auto path = data_file(benchmark, entry.file);
  const auto tested = part_of(path, entry);
  data.data_sha256.push_back(sha256_of_file(path));
  std::string train_path;
  Assembly trained;
  if (!entry.train_file.empty()) {
    train_path = data_file(benchmark, entry.train_file);
    trained = part_of(train_path, entry);
    data.data_sha256.push_back(sha256_of_file(train_path));
  }
  for (const auto& part : parts_of(tested, entry)) {
    auto assembly = part.take(tested);
    if (entry.above) {
      const auto n = count_along(assembly, entry.above->first);
      assembly = select_above(assembly, entry.above->first, entry.above->second);
      for (const auto& warning :
           left_out(n - count_along(assembly, entry.above->first), n,
                    "neuroids are left out: " + entry.above->first + " is not above " +
                        nlohmann::json(entry.above->second).dump() + " or missing"))
        data.warnings.push_back(part.name + ": " + warning);
    }
    auto test = in_order_of(test_stimuli, to_trials(assembly, entry.repetition));
    agree(ids.test, test.stimulus_ids, path, benchmark);
    Population population;
    population.identifier = part.name;
    population.neuroid_ids = std::move(test.neuroid_ids);
    population.trials = std::move(test.values);
    if (!files.ceiling_coordinate.empty())
      population.stored_ceiling =
          stored_ceiling(assembly, files.ceiling_coordinate, files.noise_ceiling_percent);
    if (!entry.train_file.empty()) {
      const auto train =
          in_order_of(train_stimuli, to_trials(part.take(trained), entry.repetition));
      agree(ids.train, train.stimulus_ids, train_path, benchmark);
      population.train = train.averaged().index_select(
          1, columns_of(population.neuroid_ids, train.neuroid_ids, train_path));
    }
    data.populations.push_back(std::move(population));
  }
}

// Leaves out the stimuli for which some neuroid has no trial at all.
void drop_incomplete(Responses& data, std::vector<std::string>& stimulus_ids) {
  auto complete = at::ones({static_cast<int64_t>(stimulus_ids.size())}, at::kBool);
  for (const auto& population : data.populations)
    complete &= population.trials.isnan().all(0).any(1).logical_not();
  std::vector<std::string> kept, dropped;
  const bool* const keep = complete.const_data_ptr<bool>();
  for (size_t i = 0; i < stimulus_ids.size(); ++i)
    (keep[i] ? kept : dropped).push_back(stimulus_ids[i]);
  for (auto& warning : left_out(stimulus_ids.size(), "stimuli",
                                "are left out, since a neuroid has no trial of them", dropped))
    data.warnings.push_back(std::move(warning));
  const auto rows = complete.nonzero().squeeze(1);
  for (auto& population : data.populations)
    population.trials = population.trials.index_select(1, rows);
  stimulus_ids = std::move(kept);
}

// Divides each population's stimuli by a column that says train or test; others are left out.
void split_by_column(Responses& data,
                     const StimulusSet& stimuli,
                     const std::string& column,
                     StimulusIds& ids) {
  const auto here = stimuli.select(ids.test);
  const auto said = here.column(column);
  std::vector<int64_t> train_rows, test_rows;
  std::vector<std::string> tested, neither;
  for (size_t i = 0; i < said.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    if (said[i] == "train") {
      train_rows.push_back(row);
      ids.train.push_back(ids.test[i]);
    } else if (said[i] == "test") {
      test_rows.push_back(row);
      tested.push_back(ids.test[i]);
    } else {
      neither.push_back(ids.test[i]);
    }
  }
  for (auto& warning :
       left_out(said.size(), "stimuli",
                "are left out: their " + column + " is neither train nor test", neither))
    data.warnings.push_back(std::move(warning));
  if (train_rows.empty() || test_rows.empty()) {
    throw bad_input({stimuli.path(), column,
                     std::to_string(train_rows.size()) + " times \"train\", " +
                         std::to_string(test_rows.size()) + " times \"test\"",
                     "each for some stimuli that were recorded", ""});
  }
  for (auto& population : data.populations) {
    population.train =
        population.trials.index_select(1, at::tensor(train_rows, at::kLong)).nanmean(0);
    population.trials = population.trials.index_select(1, at::tensor(test_rows, at::kLong));
  }
  ids.test = std::move(tested);
}

}  // namespace

void Population::keep(const at::Tensor& kept) {
  trials = trials.index_select(2, kept);
  if (train.defined()) train = train.index_select(1, kept);
  if (stored_ceiling.defined()) stored_ceiling = stored_ceiling.index_select(0, kept);
  std::vector<std::string> ids;
  for (int64_t i = 0; i < kept.numel(); ++i)
    ids.push_back(neuroid_ids[static_cast<size_t>(kept.const_data_ptr<int64_t>()[i])]);
  neuroid_ids = std::move(ids);
}

Responses load_responses(const Manifest& benchmark, const ResponseFiles& files) {
  Responses data;
  const auto tested = StimulusSet::open(data_file(benchmark, benchmark.stimulus_set));
  StimulusSet trained;
  if (!files.train_stimulus_set.empty())
    trained = StimulusSet::open(data_file(benchmark, files.train_stimulus_set));
  StimulusIds ids;
  for (const auto& entry : files.assemblies)
    load_populations(benchmark, files, entry, trained, tested, ids, data);
  if (files.drop_incomplete) drop_incomplete(data, ids.test);
  const bool by_column = !files.train_column.empty();
  if (by_column) split_by_column(data, tested, files.train_column, ids);
  data.stimuli = tested.select(ids.test);
  if (!ids.train.empty()) {
    data.n_train = static_cast<int64_t>(ids.train.size());
    data.stimuli = (by_column ? tested : trained).select(ids.train).joined(data.stimuli);
    const auto all = data.n_train + static_cast<int64_t>(ids.test.size());
    if (data.stimuli.size() != all) {
      throw bad_input(
          {tested.path(), "stimulus_id",
           std::to_string(all - data.stimuli.size()) + " stimuli that are trained on as well",
           "stimuli that the map has not seen", ""});
    }
  }
  data.data_sha256.push_back(data.stimuli.sha256());
  return data;
}

std::vector<std::string> ResponseFiles::files() const {
  std::vector<std::string> all;
  for (const auto& assembly : assemblies) {
    all.push_back(assembly.file);
    if (!assembly.train_file.empty()) all.push_back(assembly.train_file);
  }
  if (!train_stimulus_set.empty()) all.push_back(train_stimulus_set);
  return all;
}

namespace {

AssemblyFile read_assembly_file(ManifestReader& reader, const ManifestReader::Json& entry) {
  AssemblyFile file;
  file.identifier = entry.at("identifier");
  file.file = entry.at("file");
  file.repetition = reader.get(entry, "repetition", std::string("repetition"));
  file.train_file = reader.get(entry, "train_file", std::string());
  file.each = reader.get(entry, "each", std::string());
  const auto above = reader.get(entry, "above", ManifestReader::Json::object());
  for (const auto& [coordinate, threshold] : above.items())
    file.above = {coordinate, reader.converted<double>(threshold)};
  file.where = reader.accepted_values(entry);
  file.time_ms = reader.window(entry);
  const auto bins =
      reader.word("time_bins", reader.get(entry, "time_bins", std::string("averaged")),
                  {"averaged", "neuroids", "populations"});
  file.bins = bins == "neuroids"      ? Bins::kNeuroids
              : bins == "populations" ? Bins::kPopulations
                                      : Bins::kAveraged;
  if (file.bins != Bins::kAveraged && !file.time_ms)
    throw bad_input({reader.path(), "time_ms", "none", "the window whose bins are " + bins, ""});
  if (file.bins == Bins::kPopulations && !file.each.empty())
    throw bad_input(
        {reader.path(), "each", file.each, "one or the other: bins are populations", ""});
  return file;
}

}  // namespace

std::vector<AssemblyFile> read_assembly_files(ManifestReader& reader) {
  std::vector<AssemblyFile> files;
  for (const auto& entry : reader.need("assemblies"))
    files.push_back(read_assembly_file(reader, entry));
  if (files.empty())
    throw bad_input({reader.path(), "assemblies", "none", "at least one assembly file", ""});
  return files;
}

void check_train_files(const ManifestReader& reader, const std::vector<AssemblyFile>& assemblies) {
  for (const auto& file : assemblies) {
    if (file.train_file.empty()) {
      throw bad_input({reader.path(), "assemblies", file.identifier + " without train_file",
                       "its responses to train_stimulus_set", ""});
    }
  }
}

}  // namespace cortiscore
