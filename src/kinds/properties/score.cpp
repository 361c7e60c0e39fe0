#include <algorithm>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/engine/candidate.h"
#include "src/kinds/properties/data.h"
#include "src/metric/tuning.h"
#include "src/score/property_score.h"

namespace cortiscore {
namespace {

// Of n rows of p units that are made some columns at a time and then joined.
ReductionMemory rows_memory(int64_t n, int64_t p) {
  const int64_t bytes = n * p * int64_t{sizeof(float)};
  return {bytes, bytes};
}

// A unit is looked at where its receptive field lies this close to the gratings. BENCHMARKS.md 1.3.
constexpr double kNearDegrees = 0.15;

at::Tensor index_of(const std::vector<int64_t>& rows, const at::Tensor& like) {
  return at::tensor(rows, at::kLong).to(like.device());
}

int64_t stimuli_shown(const PropertyData& data) {
  int64_t n = 0;
  for (const auto& set : data.sets) n += set.n;
  return n;
}

// A layer's responses to the sets that a property shows, those that several properties show made
// once.
class Shown {
 public:
  Shown(const Candidate& candidate,
        const PropertyBenchmark& benchmark,
        Workbench& workbench,
        Outcome& outcome)
      : candidate_(candidate),
        benchmark_(benchmark),
        workbench_(workbench),
        outcome_(outcome),
        data_(property_data(benchmark, workbench)),
        layers_(layers_for(candidate, benchmark, workbench.options())),
        kept_(workbench.responses(candidate.fingerprint + " " + layers_[0] + " " +
                                  set("blank").sha256 + set("receptive_field").sha256 +
                                  set("orientation").sha256)) {}

  const std::string& layer() const { return layers_[0]; }

  /// [units], rectified.
  const at::Tensor& blank() {
    return once("blank", [&] {
      return of("blank", {"rectified",
                          [](FeatureBlocks& all) {
                            return by_columns(all, [](int64_t, const at::Tensor& columns) {
                              return columns.clamp_min(0);
                            });
                          },
                          [](int64_t n, int64_t p) { return rows_memory(n, p); }})[0];
    });
  }

  /// Places of the units whose receptive fields lie at the gratings, [units near] int64.
  const at::Tensor& near() {
    return once("near", [&] {
      const auto& grid = data_.receptive_field;
      const auto n_y = static_cast<int64_t>(grid.y.size()),
                 n_x = static_cast<int64_t>(grid.x.size());
      const auto largest = [&](int64_t, const at::Tensor& columns) {
        const auto order = index_of(grid.order, columns).view({n_y * n_x, grid.rest});
        // Rectified, hence from 0.
        auto maps = at::zeros({n_y * n_x, columns.size(1)}, columns.options());
        for (int64_t r = 0; r < grid.rest; ++r)
          at::maximum_out(maps, maps, columns.index_select(0, order.select(1, r)));
        return maps;
      };
      const auto maps =
          of("receptive_field", {"largest responses by place",
                                 [&](FeatureBlocks& all) { return by_columns(all, largest); },
                                 [&](int64_t, int64_t p) { return rows_memory(n_y * n_x, p); }});
      const auto centres =
          receptive_field_centres(maps.view({n_y, n_x, -1}), blank(), grid.y, grid.x);
      const auto position = at::tensor({data_.y, data_.x}, centres.options());
      const auto distance = (centres - position).square().sum(1).sqrt();
      return (distance <= kNearDegrees).nonzero().squeeze(1);
    });
  }

  /// Responses of those units to a set of property_stimuli, or (empty) the property's own: [n,
  /// units near].
  const at::Tensor& near_units(const std::string& role) {
    // By its images: a property's own set may be the one of orientations.
    return once(set(role).sha256, [&] {
      const auto units = near();
      const auto of_near = [units](int64_t begin, const at::Tensor& columns) {
        const auto here = (units >= begin).logical_and(units < begin + columns.size(1));
        return columns.index_select(1, units.index({here}) - begin);
      };
      return of(role, {"units near the gratings",
                       [of_near](FeatureBlocks& all) { return by_columns(all, of_near); },
                       [units](int64_t n, int64_t) { return rows_memory(n, units.size(0)); }});
    });
  }

 private:
  const at::Tensor& once(const std::string& name, const std::function<at::Tensor()>& make) {
    const auto found = kept_.find(name);
    if (found != kept_.end()) return found->second;
    return kept_[name] = make();
  }

  const PropertySet& set(const std::string& role) const {
    return *std::find_if(data_.sets.begin(), data_.sets.end(),
                         [&](const PropertySet& one) { return one.role == role; });
  }

  at::Tensor of(const std::string& role, const NamedReduction& reduction) {
    const auto& wanted = set(role);
    if (candidate_.network) {
      const auto shown = shown_set(benchmark_, workbench_.opened(benchmark_, wanted.file));
      return reduced_for(candidate_, {shown, layers_, reduction}, workbench_, outcome_.times)[0]
          .values;
    }
    int64_t begin = 0;
    std::vector<std::string> ids;
    for (const auto& one : data_.sets) {
      if (&one == &wanted) begin = static_cast<int64_t>(ids.size());
      const auto& of_set = workbench_.opened(benchmark_, one.file).stimuli.ids();
      ids.insert(ids.end(), of_set.begin(), of_set.end());
    }
    const auto all = features_for(
        candidate_, ids,
        "one a stimulus: the blank, receptive fields, orientations, and the property's own set",
        "Compute activations in the order of those files");
    MatrixBlocks features(all.narrow(0, begin, wanted.n));
    return reduction.reduce(features);
  }

  const Candidate& candidate_;
  const PropertyBenchmark& benchmark_;
  Workbench& workbench_;
  Outcome& outcome_;
  const PropertyData& data_;
  std::vector<std::string> layers_;
  std::map<std::string, at::Tensor>& kept_;
};

// The highest mean over phases of every unit. @param responses  [n, units]
at::Tensor peak_of(const at::Tensor& responses, const StimulusGrid& grid) {
  const auto order = index_of(grid.order, responses);
  return responses.to(at::kDouble)
      .clamp_min(0)
      .index_select(0, order)
      .view({-1, grid.repeats, responses.size(1)})
      .mean(1)
      .amax(0);
}

}  // namespace

Outcome PropertyBenchmark::score(const Candidate& candidate, Workbench& workbench) const {
  const auto& benchmark = *this;
  const auto& options = workbench.options();
  Outcome outcome;
  const auto& data = property_data(benchmark, workbench);
  Shown shown(candidate, benchmark, workbench, outcome);
  const auto near = shown.near();
  const auto n_near = near.size(0);
  const auto& own = shown.near_units("");
  const auto& gratings = shown.near_units("orientation");
  const Timer fit;
  const Stage mapping(StageName::kMapping);
  auto values = at::empty({0}, own.options().dtype(at::kDouble));
  if (n_near > 0) {
    const auto blank = shown.blank().index_select(0, near).to(at::kDouble);
    const auto rate = firing_rate(peak_of(gratings, data.orientation), blank);
    values =
        property_of_units(property_name(benchmark.property), rate(own), rate(blank), data.grid);
  }
  outcome.score = property_score(values, data.recorded, data.bins, options.bootstrap);
  const auto n_units = count_defined(values);
  if (n_units == 0) {
    outcome.warnings.push_back(
        shown.layer() + ": " + std::to_string(n_near) +
        " units have their receptive fields at the gratings, and none of them has a " +
        benchmark.property + "; the score is 0");
  }
  outcome.n = {{"stimuli", data.stimuli.size()},
               {"stimuli_shown", stimuli_shown(data)},
               {"units_near", n_near},
               {"units", n_units},
               {"neuroids", data.recorded.size(0)}};
  outcome.fit_s = fit.seconds();
  outcome.layer = shown.layer();
  outcome.params["property"] = benchmark.property;
  outcome.resampled = "unit";
  return outcome;
}

}  // namespace cortiscore
