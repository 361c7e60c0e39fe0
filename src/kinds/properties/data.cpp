#include "src/kinds/properties/data.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/core/class_codes.h"
#include "src/data/arrays.h"
#include "src/data/choices.h"
#include "src/data/netcdf.h"
#include "src/data/table.h"
#include "src/score/diagnostics.h"

namespace cortiscore {
namespace {

// What gratings differ in, but for their phase.
const std::vector<std::string> kGratingColumns = {"contrast",    "radius",     "spatial_frequency",
                                                  "orientation", "position_x", "position_y"};

// A column of a stimulus set as places among its sorted distinct values.
struct Factor {
  std::vector<std::string> names;  // of texts; numbers are in `values`
  std::vector<double> values;
  std::vector<int64_t> place;

  int64_t size() const { return static_cast<int64_t>(std::max(names.size(), values.size())); }
};

Factor numbers_of(const PropertyBenchmark& benchmark,
                  const StimulusSet& stimuli,
                  const std::string& ours) {
  const auto& name = benchmark.column(ours);
  std::vector<double> all;
  for (const auto& text : stimuli.column(name))
    all.push_back(number_in(text, stimuli.path(), name, all.size()));
  const std::set<double> values(all.begin(), all.end());
  return {{}, {values.begin(), values.end()}, class_codes(all)};
}

Factor texts_of(const PropertyBenchmark& benchmark,
                const StimulusSet& stimuli,
                const std::string& ours) {
  const auto all = stimuli.column(benchmark.column(ours));
  return {distinct(all), {}, class_codes(all)};
}

// Several factors crossed, the last one fastest; those that take one value alone make no
// difference.
Factor crossed(const std::vector<Factor>& factors, int64_t n) {
  Factor all;
  all.values = {0};
  all.place.assign(static_cast<size_t>(n), 0);
  for (const auto& factor : factors) {
    for (size_t i = 0; i < all.place.size(); ++i)
      all.place[i] = all.place[i] * factor.size() + factor.place[i];
    all.values.assign(all.values.size() * static_cast<size_t>(factor.size()), 0);
  }
  return all;
}

// Rows in the order [a, b, c]. @throws Error(kBadInput)  a combination missing or there twice
std::vector<int64_t> rows_in_order(const StimulusSet& stimuli,
                                   const Factor& a,
                                   const Factor& b,
                                   const Factor& c) {
  std::vector<int64_t> order(static_cast<size_t>(a.size() * b.size() * c.size()), -1);
  for (size_t i = 0; i < a.place.size(); ++i) {
    auto& row =
        order[static_cast<size_t>((a.place[i] * b.size() + b.place[i]) * c.size() + c.place[i])];
    if (row >= 0) {
      throw bad_input({stimuli.path(), "data row " + std::to_string(i + 1),
                       "the parameters of data row " + std::to_string(row + 1),
                       "every combination of parameters once", ""});
    }
    row = static_cast<int64_t>(i);
  }
  const auto missing = std::count(order.begin(), order.end(), -1);
  if (missing > 0) {
    throw bad_input({stimuli.path(), "rows", std::to_string(stimuli.size()),
                     std::to_string(order.size()) + ", one for every combination of parameters",
                     ""});
  }
  return order;
}

std::vector<Factor> other_parameters(const PropertyBenchmark& benchmark,
                                     const StimulusSet& stimuli,
                                     const std::vector<std::string>& but) {
  std::vector<Factor> others;
  for (const auto& name : kGratingColumns) {
    if (std::find(but.begin(), but.end(), name) != but.end()) continue;
    if (stimuli.has(benchmark.column(name))) others.push_back(numbers_of(benchmark, stimuli, name));
  }
  return others;
}

StimulusGrid grating_grid(const PropertyBenchmark& benchmark,
                          const StimulusSet& stimuli,
                          const std::string& along) {
  const auto rest = crossed(other_parameters(benchmark, stimuli, {along}), stimuli.size());
  const auto points = numbers_of(benchmark, stimuli, along);
  const auto phases = numbers_of(benchmark, stimuli, "phase");
  return {rows_in_order(stimuli, rest, points, phases), rest.size(), points.values, phases.size()};
}

StimulusGrid texture_grid(const PropertyBenchmark& benchmark, const StimulusSet& stimuli) {
  auto type = texts_of(benchmark, stimuli, "type");
  if (type.names.size() != 2) {
    throw bad_input({stimuli.path(), benchmark.column("type"),
                     std::to_string(type.names.size()) + " values", "two: texture and noise", ""});
  }
  // Textures first: by name where one says "noise", else the lower number.
  if (type.names[0].find("noise") != std::string::npos) {
    for (auto& place : type.place) place = 1 - place;
  }
  const auto family = texts_of(benchmark, stimuli, "family");
  const auto sample = texts_of(benchmark, stimuli, "sample");
  StimulusGrid grid;
  grid.order = rows_in_order(stimuli, type, family, sample);
  grid.rest = 2;
  grid.points.assign(family.names.size(), 0);
  grid.repeats = sample.size();
  return grid;
}

ReceptiveFieldGrid receptive_field_grid(const PropertyBenchmark& benchmark,
                                        const StimulusSet& stimuli) {
  const auto y = numbers_of(benchmark, stimuli, "position_y");
  const auto x = numbers_of(benchmark, stimuli, "position_x");
  auto others = other_parameters(benchmark, stimuli, {"position_x", "position_y"});
  if (stimuli.has(benchmark.column("phase")))
    others.push_back(numbers_of(benchmark, stimuli, "phase"));
  const auto rest = crossed(others, stimuli.size());
  return {rows_in_order(stimuli, y, x, rest), y.values, x.values, rest.size()};
}

// Where the gratings of a set stand, in degrees; all in one place.
double position(const PropertyBenchmark& benchmark,
                const StimulusSet& stimuli,
                const std::string& ours) {
  const auto factor = numbers_of(benchmark, stimuli, ours);
  if (factor.values.size() != 1) {
    throw bad_input({stimuli.path(), benchmark.column(ours),
                     std::to_string(factor.values.size()) + " positions",
                     "one, at which receptive fields are sought", ""});
  }
  return factor.values[0];
}

void read_recorded(const PropertyBenchmark& benchmark, PropertyData& data) {
  const auto path = data_file(benchmark, benchmark.assemblies.front().file);
  const auto assembly = read_assembly(path);
  const auto axis = std::find(assembly.dims.begin(), assembly.dims.end(), "neuronal_property");
  if (assembly.dims.size() != 2 || axis == assembly.dims.end()) {
    throw bad_input(
        {path, "dims", std::to_string(assembly.dims.size()), "neuroid x neuronal_property", ""});
  }
  const auto names = assembly.coord("neuronal_property").as_text();
  const auto place = codes_among({benchmark.recorded}, names, path, "neuronal_property")[0];
  const auto values = assembly.values.select(axis - assembly.dims.begin(), place).to(at::kDouble);
  data.recorded = values.masked_select(values.isfinite());
  data.warnings = left_out(values.numel() - data.recorded.numel(), values.numel(),
                           "recorded neuroids have no " + benchmark.recorded + " and are left out");
  const auto bins = assembly.lists.find(benchmark.recorded + "_bins");
  if (bins == assembly.lists.end()) {
    throw bad_input({path, "attribute \"" + benchmark.recorded + "_bins\"", "none",
                     "the edges of the bins that distributions are compared in", ""});
  }
  data.bins = bins->second;
  if (data.bins.size() < 2 ||
      !std::is_sorted(data.bins.begin(), data.bins.end(), std::less_equal<>()))
    throw bad_input({path, "attribute \"" + bins->first + "\"",
                     std::to_string(data.bins.size()) + " values", "bin edges, ascending", ""});
  if (data.recorded.numel() == 0)
    throw bad_input({path, benchmark.recorded, "no value", "the values of neuroids", ""});
  data.data_sha256.push_back(sha256_of_file(path));
}

PropertyData load_properties(const PropertyBenchmark& benchmark, Workbench& workbench) {
  PropertyData data;
  read_recorded(benchmark, data);
  const auto take = [&](const std::string& role) -> const StimulusSet& {
    const auto& file = role.empty() ? benchmark.stimulus_set : benchmark.sets.at(role);
    const auto& set = workbench.opened(benchmark, file);
    data.data_sha256.insert(data.data_sha256.end(), set.data_sha256.begin(), set.data_sha256.end());
    data.sets.push_back({role, file, set.stimuli.size(), set.data_sha256.back()});
    return set.stimuli;
  };
  const auto& blank = take("blank");
  if (blank.size() != 1)
    throw bad_input({blank.path(), "rows", std::to_string(blank.size()), "one blank", ""});
  data.receptive_field = receptive_field_grid(benchmark, take("receptive_field"));
  const auto& orientation = take("orientation");
  data.orientation = grating_grid(benchmark, orientation, "orientation");
  data.y = position(benchmark, orientation, "position_y");
  data.x = position(benchmark, orientation, "position_x");
  data.stimuli = take("");
  const auto& along = property_name(benchmark.property).along;
  data.grid = along == "type" ? texture_grid(benchmark, data.stimuli)
                              : grating_grid(benchmark, data.stimuli, along);
  return data;
}

}  // namespace

const PropertyData& property_data(const PropertyBenchmark& benchmark, Workbench& workbench) {
  return workbench.once<PropertyData>(benchmark.sha256,
                                      [&] { return load_properties(benchmark, workbench); });
}

const Recordings& PropertyBenchmark::recordings(Workbench& workbench) const {
  return property_data(*this, workbench);
}

}  // namespace cortiscore
