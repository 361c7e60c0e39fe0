#include "src/benchmark/solution_time_data.h"

#include <cmath>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/benchmark/benchmark.h"
#include "src/benchmark/data_file.h"
#include "src/data/arrays.h"
#include "src/data/netcdf.h"
#include "src/score/diagnostics.h"

namespace cortiscore {
namespace {

// A column of numbers in which an empty field, or NaN, says that there is none.
std::vector<double> numbers_or_nan(const Table& table, const std::string& column) {
  std::vector<double> out;
  for (const auto& text : table.column(column)) {
    const bool none = text.empty() || text == "nan" || text == "-nan";
    out.push_back(none ? NAN : number_in(text, table.path, column, out.size()));
  }
  return out;
}

// What an assembly says of its presentations, each stimulus once; or the rows of a CSV.
Table presentations_of(const Benchmark& benchmark) {
  const auto path = data_file(benchmark, benchmark.choices);
  if (!path.ends_with(".nc")) return read_table(path);
  const auto assembly = read_assembly(path);
  const auto column = [&](const std::string& ours) {
    return assembly.coord(benchmark.column(ours)).as_text();
  };
  const auto ids = assembly.coords.contains("stimulus_id") ? column("stimulus_id")
                                                           : assembly.coord("image_id").as_text();
  const auto truth = column("truth"), times = column("ost"), i1 = column("i1");
  if (truth.size() != ids.size() || times.size() != ids.size() || i1.size() != ids.size()) {
    throw bad_input({path, "coordinates truth, ost, i1", "coordinates of another dim",
                     "one value a presentation", ""});
  }
  Table table{path, {"stimulus_id", "truth", "ost", "i1"}, {}};
  std::set<std::string> seen;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (seen.insert(ids[i]).second) table.rows.push_back({ids[i], truth[i], times[i], i1[i]});
  }
  return table;
}

}  // namespace

SolvedRows solved_rows(const Table& table) {
  const auto truth = table.column("truth");
  const auto times = numbers_or_nan(table, "ost"), i1 = numbers_or_nan(table, "i1");
  SolvedRows solved;
  std::vector<std::string> labels;
  for (size_t i = 0; i < times.size(); ++i) {
    if (std::isnan(times[i])) continue;
    if (std::isnan(i1[i])) {
      throw bad_input({table.path, "column i1, row " + std::to_string(i + 1), "nothing",
                       "humans' accuracy on every image that has an ost", ""});
    }
    solved.rows.push_back(static_cast<int64_t>(i));
    labels.push_back(truth[i]);
    solved.images.i1.push_back(i1[i]);
    solved.images.times.push_back(times[i]);
  }
  solved.warnings = left_out(
      static_cast<int64_t>(times.size() - solved.rows.size()), static_cast<int64_t>(times.size()),
      "images have no ost, since IT never tells their object, and are left out");
  const auto classes = distinct(labels);
  if (solved.rows.size() < 30 || classes.size() < 2) {
    throw bad_input(
        {table.path, "images with an ost",
         std::to_string(solved.rows.size()) + " of " + std::to_string(classes.size()) + " objects",
         "at least 30 of 2: a tenth is tested at a time", ""});
  }
  solved.images.truth = codes_among(labels, classes, table.path, "truth");
  solved.images.n_classes = static_cast<int64_t>(classes.size());
  return solved;
}

SolutionTimeData load_solution_times(const Benchmark& benchmark) {
  const auto table = presentations_of(benchmark);
  const auto ids = table.column("stimulus_id");
  const auto solved = solved_rows(table);
  SolutionTimeData data;
  data.images = solved.images;
  for (const auto& bin : benchmark.bins_ms) data.images.bin_starts.push_back(bin.first);
  std::vector<std::string> shown;
  for (const auto row : solved.rows) shown.push_back(ids[static_cast<size_t>(row)]);
  data.n_presentations = static_cast<int64_t>(ids.size());
  data.warnings = solved.warnings;
  data.stimuli = StimulusSet::open(data_file(benchmark, benchmark.stimulus_set)).select(shown);
  data.data_sha256 = {sha256_of_file(table.path), data.stimuli.sha256()};
  return data;
}

}  // namespace cortiscore
