#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/ceiling/internal_consistency.h"
#include "src/core/parallel.h"
#include "src/core/progress.h"
#include "src/engine/outcome.h"
#include "src/metric/predictivity.h"
#include "src/score/diagnostics.h"

namespace cortiscore {
namespace {

using Rows = std::vector<int64_t>;

Rows all_rows(int64_t n) {
  Rows rows(static_cast<size_t>(n));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  return rows;
}

// Presentations of the even-indexed groups, and of the odd ones: groups in sorted order.
std::pair<Rows, Rows> halves(const StimulusSet& stimuli, const std::string& by) {
  const auto group_of = stimuli.column(by);
  const std::set<std::string> groups(group_of.begin(), group_of.end());
  std::pair<Rows, Rows> out;
  for (size_t i = 0; i < group_of.size(); ++i) {
    const auto place = std::distance(groups.begin(), groups.find(group_of[i]));
    (place % 2 == 0 ? out.first : out.second).push_back(static_cast<int64_t>(i));
  }
  if (out.second.empty()) {
    throw bad_input({stimuli.path(), by, "one group",
                     "at least two, to choose a layer on one half and score on the "
                     "other",
                     "Commit to a layer with --layer"});
  }
  return out;
}

at::Tensor index(const Rows& rows) {
  return at::tensor(rows, at::kLong);
}

Estimate ceiling_on(const Population& population, const Rows& rows, const Benchmark& benchmark) {
  return aggregate(internal_consistency(population.trials.index_select(1, index(rows)),
                                        {benchmark.ceiling_splits, benchmark.ceiling_seed}));
}

struct Mapped {
  std::vector<Estimate> raw;  // a population
  std::vector<Predictivity> details;
};

Mapped map_populations(const LayerCoordinates& layer,
                       const std::vector<Population>& populations,
                       const Rows& rows,
                       const Splits& splits,
                       const Benchmark& benchmark,
                       TopVectorMode mode) {
  MappingOptions options;
  options.pls.n_components = benchmark.n_components;
  options.pls.top.mode = mode;
  const auto source = layer.values.index_select(0, index(rows));
  Mapped mapped;
  for (const auto& population : populations) {
    mapped.details.push_back(
        predictivity(source, population.averaged.index_select(0, index(rows)), splits, options));
    mapped.raw.push_back(aggregate(mapped.details.back().per_neuroid));
  }
  return mapped;
}

double pooled_value(const std::vector<Estimate>& parts) {
  return pool_neuroids(parts).value;
}

void drop_unreliable(NeuralData& data, const Benchmark& benchmark) {
  for (auto& population : data.populations) {
    if (benchmark.keep_above >= 0) {
      const auto per_neuroid = internal_consistency(
          population.trials, {benchmark.ceiling_splits, benchmark.ceiling_seed});
      const auto kept = (per_neuroid.nanmean(0) > benchmark.keep_above).nonzero().squeeze(1);
      population.n_dropped = population.trials.size(2) - kept.size(0);
      population.trials = population.trials.index_select(2, kept);
      std::vector<std::string> ids;
      for (int64_t i = 0; i < kept.numel(); ++i) {
        ids.push_back(
            population.neuroid_ids[static_cast<size_t>(kept.const_data_ptr<int64_t>()[i])]);
      }
      population.neuroid_ids = std::move(ids);
    }
    population.averaged = population.trials.nanmean(0);
    check_finite(population.averaged, "assembly of " + population.identifier, "neuroid",
                 "A stimulus without a single trial for a neuroid cannot be mapped: drop the "
                 "stimulus or the neuroid");
  }
}

// One layer on one set of presentations, scored in full.
struct Scored {
  Score score;
  std::vector<Score> populations;
  Mapped mapped;
};

Scored score_rows(const LayerCoordinates& layer,
                  const NeuralData& data,
                  const Rows& rows,
                  const Benchmark& benchmark,
                  const ScoreOptions& options) {
  Scored scored;
  scored.mapped =
      map_populations(layer, data.populations, rows,
                      make_splits(benchmark.splits, data.stimuli, rows), benchmark, options.mode);
  std::vector<Estimate> ceilings;
  for (size_t i = 0; i < data.populations.size(); ++i) {
    ceilings.push_back(ceiling_on(data.populations[i], rows, benchmark));
    scored.populations.push_back(
        ceiled_score(scored.mapped.raw[i], ceilings.back(), options.convention, options.bootstrap));
  }
  scored.score = ceiled_score(pool_neuroids(scored.mapped.raw), pool_neuroids(ceilings),
                              options.convention, options.bootstrap);
  return scored;
}

void add_warnings(const Scored& scored,
                  const NeuralData& data,
                  const std::string& layer,
                  std::vector<std::string>& warnings) {
  for (size_t i = 0; i < data.populations.size(); ++i) {
    for (const auto& warning : warnings_of(scored.mapped.details[i], scored.mapped.raw[i],
                                           data.populations[i].neuroid_ids)) {
      warnings.push_back(data.populations[i].identifier + ", " + layer + ": " + warning);
    }
  }
}

}  // namespace

Outcome score_neural(const Candidate& candidate,
                     const Benchmark& benchmark,
                     const ScoreOptions& options) {
  Outcome outcome;
  const Timer load;
  auto data = load_neural(benchmark);
  drop_unreliable(data, benchmark);
  outcome.load_s = load.seconds();
  outcome.data_sha256 = data.data_sha256;

  const auto layers = layers_for(candidate, benchmark.region, options, benchmark.n_components);
  const auto coordinates = coordinates_for(candidate, data.stimuli, layers,
                                           benchmark.visual_degrees, options, outcome.times);
  const Timer fit;
  std::vector<Scored> parts;
  std::vector<std::string> chosen;
  if (layers.size() == 1 || benchmark.select_by.empty()) {
    if (layers.size() > 1) {
      throw Error(ErrorKind::kUsage,
                  benchmark.identifier + " has no layer selection: commit to one with --layer.");
    }
    parts.push_back(
        score_rows(coordinates[0], data, all_rows(data.stimuli.size()), benchmark, options));
    chosen.push_back(layers[0]);
    outcome.layer_selection = {{"method", "committed"}, {"candidates", layers}};
  } else {
    const auto [even, odd] = halves(data.stimuli, benchmark.select_by);
    Json values = Json::array();
    for (const auto& [select_on, score_on] : {std::pair(even, odd), std::pair(odd, even)}) {
      const auto splits = make_splits(benchmark.splits, data.stimuli, select_on);
      std::vector<double> scores;
      for (const auto& layer : coordinates) {
        scores.push_back(pooled_value(
            map_populations(layer, data.populations, select_on, splits, benchmark, options.mode)
                .raw));
      }
      const auto rank = [](double v) { return std::isnan(v) ? -2 : v; };
      const auto best = std::max_element(scores.begin(), scores.end(),
                                         [&](double a, double b) { return rank(a) < rank(b); });
      const auto place = static_cast<size_t>(best - scores.begin());
      values.push_back(numbers(scores));
      parts.push_back(score_rows(coordinates[place], data, score_on, benchmark, options));
      chosen.push_back(layers[place]);
    }
    outcome.layer_selection = {{"method", "alternating_halves"},
                               {"by", benchmark.select_by},
                               {"candidates", layers},
                               {"raw_on_selecting_half", values},
                               {"chosen", chosen}};
  }
  std::vector<Score> scores;
  for (size_t i = 0; i < parts.size(); ++i) {
    scores.push_back(parts[i].score);
    add_warnings(parts[i], data, chosen[i], outcome.warnings);
  }
  outcome.score = scores.size() == 1 ? scores[0] : mean_of_halves(scores, options.bootstrap);
  outcome.layer =
      chosen.size() == 2 && chosen[0] != chosen[1] ? chosen[0] + " + " + chosen[1] : chosen[0];
  int64_t n_neuroids = 0, n_dropped = 0;
  for (size_t p = 0; p < data.populations.size(); ++p) {
    n_neuroids += data.populations[p].trials.size(2);
    n_dropped += data.populations[p].n_dropped;
    if (data.populations.size() < 2) continue;
    std::vector<Score> of_population;
    for (const auto& part : parts) of_population.push_back(part.populations[p]);
    const auto score = of_population.size() == 1 ? of_population[0]
                                                 : mean_of_halves(of_population, options.bootstrap);
    outcome.populations.push_back({{"identifier", data.populations[p].identifier},
                                   {"raw", number(score.raw.value)},
                                   {"error", number(score.raw.error)},
                                   {"ceiling", number(score.ceiling.value)},
                                   {"ceiled", number(score.ceiled)},
                                   {"n_neuroids", data.populations[p].trials.size(2)},
                                   {"n_dropped", data.populations[p].n_dropped}});
  }
  outcome.n = {{"stimuli", data.stimuli.size()},
               {"neuroids", n_neuroids},
               {"neuroids_dropped", n_dropped},
               {"splits", outcome.score.raw.split_values.size()},
               {"populations", data.populations.size()}};
  outcome.metric = {{"name", "pls"},
                    {"params",
                     {{"n_components", benchmark.n_components},
                      {"mode", options.mode == TopVectorMode::kSklearn ? "sklearn" : "exact"}}}};
  outcome.resampled = "neuroid";
  outcome.fit_s = fit.seconds();
  return outcome;
}

}  // namespace cortiscore
