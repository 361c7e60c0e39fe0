#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/parallel.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/engine/candidate.h"
#include "src/engine/null_scores.h"
#include "src/kinds/layer_choice.h"
#include "src/kinds/neural/data.h"
#include "src/metric/predictivity.h"
#include "src/score/diagnostics.h"
#include "src/score/drawn.h"
#include "src/score/interval.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

struct Mapped {
  std::vector<Estimate> raw;  // a population
  std::vector<Predictivity> details;
  std::vector<at::Tensor> targets;  // what was predicted
};

// How a layer is mapped: as the benchmark says, and where masks look at places, as the layer is
// laid out.
MappingOptions mapping_of(const Candidate& candidate,
                          const NeuralBenchmark& benchmark,
                          const std::string& layer,
                          TopVectorMode mode) {
  auto options = benchmark.mapping;
  options.pls.top.mode = mode;
  if (options.kind == MappingKind::kMask && candidate.network) {
    const auto described = candidate.network->layer(layer);
    const auto& shape = described.shape;
    if (shape.size() == 3 && described.windows == 1) {
      options.mask.channels = shape[0];
      options.mask.height = shape[1];
      options.mask.width = shape[2];
    }
  }
  return options;
}

Mapped map_populations(const ReducedLayer& layer,
                       const Part& part,
                       const NeuralBenchmark& benchmark,
                       const MappingOptions& options) {
  const Stage mapping(StageName::kMapping, layer.layer);
  Mapped mapped;
  mapped.details = map_part(layer.values, part, benchmark, options);
  mapped.targets = benchmark.reverse
                       ? std::vector(part.targets.size(), layer.values.index_select(0, part.index))
                       : part.targets;
  for (const auto& detail : mapped.details) mapped.raw.push_back(aggregate(detail.per_neuroid));
  return mapped;
}

// One layer on one set of presentations, scored in full.
struct Scored {
  Score score;
  std::vector<Score> populations;
  Mapped mapped;
};

// Of a population: what each of its neuroids scores, for every draw of the tested presentations.
PerDraw values_of_draws(const Mapped& mapped, const Part& part, size_t population) {
  return [&, population](const Draws& draws) {
    auto of_rows = draws;
    if (auto& counts = of_rows.counts.at(Axis::kPresentation); part.n_train > 0)
      counts = at::cat({at::zeros({draws.n, part.n_train}, counts.options()), counts}, 1);
    return predictivity_per_draw(mapped.details[population], mapped.targets[population],
                                 part.splits, of_rows);
  };
}

Scored score_mapped(Mapped mapped,
                    const Part& part,
                    const NeuralBenchmark& benchmark,
                    const ScoreOptions& options) {
  Scored scored;
  scored.mapped = std::move(mapped);
  std::vector<PerDraw> values;
  for (size_t i = 0; i < part.targets.size(); ++i)
    values.push_back(values_of_draws(scored.mapped, part, i));
  // Of the same neuroids as the ceiling, which has its draws: the same are drawn for both.
  const auto scored_with = [&](Estimate raw, const Estimate& ceiling,
                               const std::vector<PerDraw>& of, const BootstrapOptions& bootstrap) {
    raw.draws.counts = ceiling.draws.counts;
    bootstrap_over(raw, part.drawn, of, bootstrap, options.device);
    return ceiled_by_draws(std::move(raw), ceiling, options.convention, bootstrap.level);
  };
  const bool apart = benchmark.mean_of_populations || part.targets.size() > 1;
  for (size_t i = 0; i < part.targets.size() && apart; ++i) {
    scored.populations.push_back(
        scored_with(scored.mapped.raw[i], part.ceilings[i], {values[i]},
                    population_bootstrap(benchmark, options.bootstrap, i)));
  }
  if (benchmark.mean_of_populations) {
    scored.score = mean_of_populations(scored.populations, part.ceiling, options.bootstrap.level);
    return scored;
  }
  if (benchmark.reverse) {
    // Units of the layer are no neuroids: nothing is drawn for both but presentations.
    auto raw = pool_neuroids(scored.mapped.raw);
    bootstrap_over(raw, part.drawn, values, options.bootstrap, options.device);
    scored.score =
        ceiled_by_draws(std::move(raw), part.ceiling, options.convention, options.bootstrap.level);
    return scored;
  }
  scored.score =
      scored_with(pool_neuroids(scored.mapped.raw), part.ceiling, values, options.bootstrap);
  return scored;
}

// Of a layer, a value for every split of the whole: by the inner splits of its train presentations.
// As many splits at a time as a committed layer has, or those of one outer split.
std::vector<double> inner_values(const ReducedLayer& layer,
                                 PreparedNeural& prepared,
                                 const NeuralBenchmark& benchmark,
                                 const MappingOptions& mapping) {
  const auto& inner = prepared.inner();
  for (size_t outer = 0; outer < inner.size() && mapping.kind == MappingKind::kPls; ++outer) {
    for (const auto& split : inner[outer]) {
      const auto n = static_cast<int64_t>(split.train.size());
      if (n >= mapping.pls.n_components) continue;
      throw bad_input({benchmark.path, "train presentations",
                       std::to_string(n) + " to choose a layer by, of the " +
                           std::to_string(prepared.whole().splits[outer].train.size()) +
                           " of split " + std::to_string(outer),
                       "at least " + std::to_string(mapping.pls.n_components) + ", one a component",
                       "Commit to a layer with --layer, or ask for fewer components"});
    }
  }
  const size_t n_outer = inner.size(), n_inner = inner.front().size();
  const size_t at_once = std::max<size_t>(1, n_outer / n_inner);
  auto part = prepared.whole();
  std::vector<double> values;
  for (size_t begin = 0; begin < n_outer; begin += at_once) {
    check_stop();
    const size_t end = std::min(n_outer, begin + at_once);
    part.splits.clear();
    for (size_t outer = begin; outer < end; ++outer)
      part.splits.insert(part.splits.end(), inner[outer].begin(), inner[outer].end());
    const auto mapped = map_populations(layer, part, benchmark, mapping);
    int64_t first = 0;
    for (size_t outer = begin; outer < end; ++outer) {
      const auto n = static_cast<int64_t>(inner[outer].size());
      std::vector<Estimate> raw;
      for (const auto& detail : mapped.details)
        raw.push_back(aggregate(detail.per_neuroid.narrow(0, first, n)));
      values.push_back(value_of(raw, benchmark));
      first += n;
    }
  }
  return values;
}

// Of several layers' maps on the same splits those splits that each was chosen for.
// @param of_split  a split: place in `maps`; none: the split has no score
Mapped assembled(const std::vector<Mapped>& maps,
                 const std::vector<std::optional<size_t>>& of_split) {
  if (maps.size() == 1 && std::all_of(of_split.begin(), of_split.end(),
                                      [](const auto& place) { return place.has_value(); }))
    return maps.front();
  const auto rows_of = [&](size_t population, at::Tensor Predictivity::*member) {
    std::vector<at::Tensor> rows;
    for (size_t split = 0; split < of_split.size(); ++split) {
      const auto& all = maps[of_split[split].value_or(0)].details[population].*member;
      if (!all.defined()) return at::Tensor();
      rows.push_back(all.narrow(0, static_cast<int64_t>(split), 1));
      if (!of_split[split] && member == &Predictivity::per_neuroid)
        rows.back() = at::full_like(rows.back(), std::nan(""));
    }
    return at::cat(rows);
  };
  Mapped mapped;
  mapped.targets = maps.front().targets;
  for (size_t p = 0; p < maps.front().details.size(); ++p) {
    Predictivity detail;
    detail.max_iter = maps.front().details[p].max_iter;
    for (const auto member :
         {&Predictivity::per_neuroid, &Predictivity::iterations, &Predictivity::marginal,
          &Predictivity::exhausted, &Predictivity::alpha, &Predictivity::alpha_at_end})
      detail.*member = rows_of(p, member);
    for (size_t split = 0; split < of_split.size(); ++split) {
      const auto& kept = maps[of_split[split].value_or(0)].details[p].predictions;
      if (kept.empty()) break;
      detail.predictions.push_back(of_split[split] ? kept[split]
                                                   : at::full_like(kept[split], std::nan("")));
    }
    mapped.raw.push_back(aggregate(detail.per_neuroid));
    mapped.details.push_back(std::move(detail));
  }
  return mapped;
}

// What an interval leaves out: all, where there is nothing to draw; and draws without a value.
std::vector<std::string> interval_warnings(const Score& score, const std::set<Axis>& over) {
  std::vector<std::string> warnings;
  if (std::isnan(score.raw.value)) return warnings;
  if (std::isnan(score.raw.ci_lo)) {
    warnings = lone_warnings(score.raw);
  } else if (over.contains(Axis::kNeuroid) && !lone_warnings(score.raw).empty()) {
    warnings = {"fewer than two neuroids have a value: the interval is over presentations alone"};
  }
  for (const auto& warning : undefined_draws(score.raw.draws.values)) warnings.push_back(warning);
  if (std::isnan(score.ceiled)) return warnings;
  for (const auto& warning : undefined_draws(score.ceiled_draws))
    warnings.push_back("ceiled: " + warning);
  return warnings;
}

void add_warnings(const Scored& scored,
                  const Responses& data,
                  const std::string& layer,
                  const NeuralBenchmark& benchmark,
                  const std::set<Axis>& over,
                  std::vector<std::string>& warnings) {
  const bool reverse = benchmark.reverse, ceiled = benchmark.ceiled,
             mean_of_populations = benchmark.mean_of_populations;
  for (size_t i = 0; i < data.populations.size(); ++i) {
    auto names = data.populations[i].neuroid_ids;
    if (reverse) {
      names.clear();
      for (int64_t u = 0; u < scored.mapped.raw[i].per_neuroid.size(1); ++u)
        names.push_back("unit " + std::to_string(u));
    }
    for (const auto& warning : warnings_of(scored.mapped.details[i], scored.mapped.raw[i], names)) {
      warnings.push_back(data.populations[i].identifier + ", " + layer + ": " + warning);
    }
  }
  // Populations that are averaged have an interval each, and a score that the mean may lack.
  const bool apart = !scored.populations.empty();
  for (size_t i = 0; i < scored.populations.size(); ++i) {
    const auto& score = scored.populations[i];
    const auto name = data.populations[i].identifier + ", " + layer + ": ";
    if (mean_of_populations) {
      for (const auto& warning : interval_warnings(score, over)) warnings.push_back(name + warning);
      if (std::isnan(score.raw.value))
        warnings.push_back(name + "no score: the population is left out of the mean");
      else if (ceiled && std::isnan(score.ceiled))
        warnings.push_back(name +
                           "its ceiling is not positive, or undefined: the population is left out "
                           "of the ceiled mean");
    }
  }
  if (!mean_of_populations || !apart) {
    for (const auto& warning : interval_warnings(scored.score, over))
      warnings.push_back(layer + ": " + warning);
    if (ceiled && !std::isnan(scored.score.raw.value) && std::isnan(scored.score.ceiled))
      warnings.push_back(layer +
                         ": the ceiling is not positive, or undefined: there is no ceiled score");
  }
}

std::vector<std::string> few_tested(const std::vector<const Splits*>& of_parts) {
  constexpr size_t kFew = 20;
  size_t fewest = kFew;
  for (const auto* splits : of_parts) {
    for (const auto& split : *splits) fewest = std::min(fewest, split.test.size());
  }
  if (fewest == kFew) return {};
  return {"some split tests " + std::to_string(fewest) +
          " presentations: some of so few are drawn twice and others not at all, which makes "
          "correlations higher, so that the interval may lie too high"};
}

std::string words_of(const std::set<Axis>& over, bool reverse) {
  const bool neuroids = over.contains(Axis::kNeuroid);
  if (!over.contains(Axis::kPresentation)) return reverse ? "unit and neuroid" : "neuroid";
  if (!neuroids) return "presentation";
  return reverse ? "unit, neuroid and presentation" : "neuroid and presentation";
}

// Neuroids whose own ceiling does not exist: the median goes over the others.
void add_ceiling_warnings(const Part& part,
                          const Responses& data,
                          std::vector<std::string>& warnings) {
  for (size_t i = 0; i < part.ceilings.size(); ++i) {
    for (const auto& warning :
         undefined_warnings(part.ceilings[i], data.populations[i].neuroid_ids))
      warnings.push_back(data.populations[i].identifier + ", ceiling: " + warning);
  }
}

}  // namespace

double value_of(const std::vector<Estimate>& raw, const NeuralBenchmark& benchmark) {
  if (!benchmark.mean_of_populations) return pool_neuroids(raw).value;
  std::vector<double> values;
  for (const auto& estimate : raw) values.push_back(estimate.value);
  return mean_skip_nan(values);
}

std::vector<Predictivity> map_part(const at::Tensor& features,
                                   const Part& part,
                                   const NeuralBenchmark& benchmark,
                                   const MappingOptions& options) {
  const auto source = features.index_select(0, part.index);
  if (benchmark.spantime) return spantime_predictivity(source, part.targets, part.splits, options);
  std::vector<Predictivity> fits;
  for (const auto& target : part.targets) {
    fits.push_back(benchmark.reverse ? predictivity(target, source, part.splits, options)
                                     : predictivity(source, target, part.splits, options));
  }
  return fits;
}

Json mapping_params(const NeuralBenchmark& benchmark) {
  const auto& mapping = benchmark.mapping;
  if (mapping.kind == MappingKind::kRidge) return {{"alpha", mapping.ridge_alpha}};
  if (mapping.kind == MappingKind::kRidgeCv) return {{"alphas", mapping.ridgecv_alphas}};
  if (mapping.kind == MappingKind::kMask) {
    return {{"learning_rate", mapping.mask.learning_rate},
            {"max_epochs", mapping.mask.max_epochs},
            {"spatial_penalty", mapping.mask.spatial_penalty},
            {"channel_penalty", mapping.mask.channel_penalty}};
  }
  return {{"n_components", mapping.pls.n_components}};
}

std::optional<NamedReduction> NeuralBenchmark::reduction(Workbench& /*workbench*/) const {
  // Each unit is predicted; or looked at in its place.
  if (reverse || mapping.kind == MappingKind::kMask) return all_activations();
  return NamedReduction{"coordinates", coordinates_of, coordinates_memory};
}

Outcome NeuralBenchmark::score(const Candidate& candidate, Workbench& workbench) const {
  const auto& benchmark = *this;
  const auto& options = workbench.options();
  Outcome outcome;
  auto& prepared = prepared_neural(benchmark, workbench);
  const auto& data = prepared.data();
  const auto coordinates =
      reduced_for(candidate, *score_request(candidate, *this, workbench), workbench, outcome.times);
  const Timer fit;
  std::vector<Scored> parts;
  const auto mapped_as = [&](const ReducedLayer& layer) {
    return mapping_of(candidate, benchmark, layer.layer, options.mode);
  };
  // Where presentations are drawn, they are drawn of what is predicted for each.
  const auto scored_as = [&](const ReducedLayer& layer) {
    auto keeping = mapped_as(layer);
    keeping.keep_predictions = options.over.contains(Axis::kPresentation);
    return keeping;
  };
  // Units of different layers are not the same, and have no place side by side.
  const auto way =
      choice_way(benchmark, coordinates.size(), options.choice, /*can_nest=*/!benchmark.reverse);
  // Before the mapping: to stop here wastes none.
  const Timer drawing;
  const auto null = null_of(*this, workbench, prepared, way == ChoiceWay::kHalves);
  outcome.null_s = drawing.seconds();
  const auto score_here = [&](Mapped mapped, const Part& part) {
    parts.push_back(score_mapped(std::move(mapped), part, benchmark, options));
    if (benchmark.ceiled) add_ceiling_warnings(part, data, outcome.warnings);
  };
  if (benchmark.ceiled && options.over.contains(Axis::kPresentation) &&
      std::any_of(data.populations.begin(), data.populations.end(),
                  [](const Population& p) { return p.stored_ceiling.defined(); }))
    outcome.warnings.push_back(
        "the ceiling is as published, without its trials: presentations are drawn for the raw "
        "score alone");
  std::vector<std::string> chosen;
  if (way == ChoiceWay::kNested) {
    std::vector<std::vector<double>> values(prepared.inner().size());
    for (const auto& layer : coordinates) {
      const auto own = inner_values(layer, prepared, benchmark, mapped_as(layer));
      for (size_t split = 0; split < values.size(); ++split) values[split].push_back(own[split]);
    }
    const auto choice = choose_each_time(coordinates, std::move(values), "split", outcome.warnings);
    // Each on all splits, as where it is committed to: so its scores are the same to the bit.
    std::vector<Mapped> maps;
    std::map<size_t, size_t> place;
    auto winners = choice.winners();
    if (winners.empty()) winners.push_back(0);
    for (const auto winner : winners) {
      check_stop();
      place[winner] = maps.size();
      maps.push_back(map_populations(coordinates[winner], prepared.whole(), benchmark,
                                     scored_as(coordinates[winner])));
    }
    std::vector<std::optional<size_t>> of_split;
    for (const auto& winner : choice.chosen)
      of_split.push_back(winner ? std::optional(place.at(*winner)) : std::nullopt);
    score_here(assembled(maps, of_split), prepared.whole());
    outcome.layer_selection = choice.selection("split", options);
    outcome.layer_selection["inner_splits"] = prepared.inner().front().size();
    outcome.layer = choice.layer();
    chosen = {choice.label()};
  } else {
    chosen = score_chosen_layers(
        way, benchmark, coordinates, options, prepared,
        [&](const ReducedLayer& layer, const Part& part) {
          return value_of(map_populations(layer, part, benchmark, mapped_as(layer)).raw, benchmark);
        },
        [&](const ReducedLayer& layer, const Part& part) {
          score_here(map_populations(layer, part, benchmark, scored_as(layer)), part);
        },
        outcome);
  }
  if (options.over.contains(Axis::kPresentation)) {
    for (auto& warning :
         few_tested(way == ChoiceWay::kHalves ? std::vector{&prepared.halves().first.splits,
                                                            &prepared.halves().second.splits}
                                              : std::vector{&prepared.whole().splits}))
      outcome.warnings.push_back(std::move(warning));
  }
  std::vector<Score> scores;
  for (size_t i = 0; i < parts.size(); ++i) {
    scores.push_back(parts[i].score);
    add_warnings(parts[i], data, chosen[i], benchmark, options.over, outcome.warnings);
  }
  outcome.score = scores.size() == 1 ? scores[0] : mean_of_halves(scores, options.bootstrap);
  int64_t n_neuroids = 0, n_dropped = 0;
  for (size_t p = 0; p < data.populations.size(); ++p) {
    n_neuroids += data.populations[p].n_neuroids();
    n_dropped += data.populations[p].n_dropped;
    if (parts.front().populations.empty()) continue;
    std::vector<Score> of_population;
    for (const auto& part : parts) of_population.push_back(part.populations[p]);
    const auto score = of_population.size() == 1 ? of_population[0]
                                                 : mean_of_halves(of_population, options.bootstrap);
    outcome.populations.push_back({{"identifier", data.populations[p].identifier},
                                   {"raw", number(score.raw.value)},
                                   {"error", number(score.raw.error)},
                                   {"ceiling", number(score.ceiling.value)},
                                   {"ceiled", number(score.ceiled)},
                                   {"n_neuroids", data.populations[p].n_neuroids()},
                                   {"n_dropped", data.populations[p].n_dropped}});
  }
  outcome.n = {{"stimuli", data.stimuli.size()},
               {"neuroids", n_neuroids},
               {"neuroids_dropped", n_dropped},
               {"splits", outcome.score.raw.split_values.size()},
               {"populations", data.populations.size()}};
  outcome.params = mapping_params(benchmark);
  if (benchmark.mapping.kind == MappingKind::kPls) {
    outcome.params["mode"] = options.mode == TopVectorMode::kSklearn ? "sklearn" : "exact";
  }
  outcome.per_neuroid = !benchmark.reverse;
  outcome.resampled = words_of(options.over, benchmark.reverse);
  outcome.null = null_json(null, outcome.score.raw.value, "maps of random features");
  outcome.fit_s = fit.seconds() - outcome.null_s;
  return outcome;
}

}  // namespace cortiscore
