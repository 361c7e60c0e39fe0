#include "src/kinds/solution_times/data.h"

#include <set>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/benchmark/solved_rows.h"
#include "src/data/arrays.h"
#include "src/data/netcdf.h"

namespace cortiscore {
namespace {

// What an assembly says of its presentations, each stimulus once; or the rows of a CSV.
Table presentations_of(const SolutionTimeBenchmark& benchmark) {
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

SolutionTimeData load_solution_times(const SolutionTimeBenchmark& benchmark) {
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

}  // namespace

const SolutionTimeData& solution_time_data(const SolutionTimeBenchmark& benchmark,
                                           Workbench& workbench) {
  return workbench.once<SolutionTimeData>(benchmark.sha256,
                                          [&] { return load_solution_times(benchmark); });
}

const Recordings& SolutionTimeBenchmark::recordings(Workbench& workbench) const {
  return solution_time_data(*this, workbench);
}

}  // namespace cortiscore
