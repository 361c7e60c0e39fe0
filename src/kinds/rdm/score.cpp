#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/engine/candidate.h"
#include "src/engine/null_scores.h"
#include "src/kinds/layer_choice.h"
#include "src/kinds/rdm/data.h"
#include "src/metric/rdm.h"
#include "src/score/diagnostics.h"
#include "src/score/rdm_null.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

// A layer's RDM among the stimuli of a part.
at::Tensor matrix_among(const ReducedLayer& layer, const RdmPart& part) {
  return layer.values.index_select(0, part.index).index_select(1, part.index);
}

// The same, as it is compared.
at::Tensor among(const ReducedLayer& layer, const RdmPart& part) {
  return compared_pairs(matrix_among(layer, part), part.subjects.comparison);
}

Score score_part(const ReducedLayer& layer,
                 const RdmPart& part,
                 const RdmBenchmark& benchmark,
                 const BootstrapOptions& bootstrap,
                 std::vector<std::string>& warnings) {
  auto raw = rdm_similarity_with_draws(among(layer, part), part.subjects, bootstrap);
  if (std::isnan(raw.value)) {
    warnings.push_back(
        layer.layer + ": a stimulus has one and the same activation in every " +
        (benchmark.responsive_units ? "unit that stands out, or none does" : "feature") +
        ", so its dissimilarities are undefined and there is no score");
  }
  return ceiled_by_draws(std::move(raw), part.ceiling, benchmark.convention, bootstrap.level);
}

// For every subject, what layers compete by: their mean similarity with the other subjects.
std::vector<std::vector<double>> values_on_others(const std::vector<ReducedLayer>& layers,
                                                  const RdmPart& part) {
  const auto n = static_cast<size_t>(part.subjects.pairs.size(0));
  std::vector<std::vector<double>> values(n);
  for (const auto& layer : layers) {
    check_stop();
    const auto own = rdm_similarity(among(layer, part), part.subjects).split_values;
    for (size_t left_out = 0; left_out < n; ++left_out) {
      auto others = own;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(left_out));
      values[left_out].push_back(mean_skip_nan(others));
    }
  }
  return values;
}

// Every subject with the layer that was chosen for it.
Score score_choice(const NestedChoice& choice,
                   const std::vector<ReducedLayer>& layers,
                   const RdmPart& part,
                   const RdmBenchmark& benchmark,
                   const BootstrapOptions& bootstrap,
                   std::vector<std::string>& warnings) {
  const auto winners = choice.winners();
  const bool all = std::all_of(choice.chosen.begin(), choice.chosen.end(),
                               [](const auto& place) { return place.has_value(); });
  if (winners.empty())
    return ceiled_by_draws(undefined_estimate(part.subjects.pairs.size(0), bootstrap), part.ceiling,
                           benchmark.convention, bootstrap.level);
  if (winners.size() == 1 && all)
    return score_part(layers[winners[0]], part, benchmark, bootstrap, warnings);
  std::vector<int64_t> there;
  std::vector<at::Tensor> of_subject;
  for (size_t s = 0; s < choice.chosen.size(); ++s) {
    if (!choice.chosen[s]) continue;
    there.push_back(static_cast<int64_t>(s));
    of_subject.push_back(among(layers[*choice.chosen[s]], part));
  }
  auto subjects = part.subjects;
  const auto places = at::tensor(there, at::kLong);
  subjects.pairs = subjects.pairs.index_select(0, places.to(subjects.pairs.device()));
  auto raw = rdm_ceiling({subjects, at::stack(of_subject)}, bootstrap);
  auto whole = at::full({1, part.subjects.pairs.size(0)}, std::nan(""), raw.per_neuroid.options());
  raw.per_neuroid = whole.index_copy_(1, places, raw.per_neuroid);
  const auto* const first = raw.per_neuroid.const_data_ptr<double>();
  raw.split_values = {first, first + raw.per_neuroid.size(1)};
  return ceiled_by_draws(std::move(raw), part.ceiling, benchmark.convention, bootstrap.level);
}

// Raw scores of other orders of the stimuli.
// @param scored  layers that were scored on parts without a choice there; empty: one was made for
//                every subject
std::vector<double> null_of(
    const std::vector<ReducedLayer>& layers,
    const RdmPart& whole,
    const std::vector<std::pair<const ReducedLayer*, const RdmPart*>>& scored,
    int64_t null_draws) {
  if (null_draws < 1) return {};
  if (scored.empty()) {
    std::vector<at::Tensor> all;
    for (const auto& layer : layers) all.push_back(matrix_among(layer, whole));
    return null_of_choice(similarities_of_orders(all, whole.subjects, null_draws));
  }
  std::vector<std::vector<double>> parts;
  for (const auto& [layer, part] : scored)  // halves are drawn apart
    parts.push_back(
        null_of_choice(similarities_of_orders({matrix_among(*layer, *part)}, part->subjects,
                                              null_draws, static_cast<uint32_t>(parts.size()))));
  std::vector<double> mean;
  // Of halves of odd stimuli the smaller one may be drawn more often.
  const auto least = std::min_element(
      parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.size() < b.size(); });
  for (size_t i = 0; i < least->size(); ++i) {
    std::vector<double> both;
    for (const auto& part : parts) both.push_back(part[i]);
    mean.push_back(mean_skip_nan(both));
  }
  return mean;
}

}  // namespace

Outcome RdmBenchmark::score(const Candidate& candidate, Workbench& workbench) const {
  const auto& benchmark = *this;
  const auto& options = workbench.options();
  Outcome outcome;
  auto& prepared = prepared_rdm(benchmark, workbench);
  const auto& data = prepared.data();
  const auto reduced =
      reduced_for(candidate, *score_request(candidate, *this, workbench), workbench, outcome.times);
  const Timer fit;
  const Stage mapping(StageName::kMapping);
  std::vector<Score> parts;
  std::vector<std::pair<const ReducedLayer*, const RdmPart*>> scored;
  const auto way = choice_way(benchmark, reduced.size(), options.choice,
                              /*can_nest=*/data.rdms.size(0) > 1);
  if (way == ChoiceWay::kNested) {
    const auto& part = prepared.whole();
    const auto choice =
        choose_each_time(reduced, values_on_others(reduced, part), "subject", outcome.warnings);
    parts.push_back(
        score_choice(choice, reduced, part, benchmark, options.bootstrap, outcome.warnings));
    outcome.layer_selection = choice.selection("subject", options);
    outcome.layer = choice.layer();
  } else {
    score_chosen_layers(
        way, benchmark, reduced, options, prepared,
        [](const ReducedLayer& layer, const RdmPart& part) {
          return rdm_similarity(among(layer, part), part.subjects).value;
        },
        [&](const ReducedLayer& layer, const RdmPart& part) {
          parts.push_back(score_part(layer, part, benchmark, options.bootstrap, outcome.warnings));
          scored.emplace_back(&layer, &part);
        },
        outcome);
  }
  std::vector<std::string> undefined;
  for (int64_t s = 0; s < parts.front().raw.per_neuroid.size(1); ++s) {
    const auto at = static_cast<size_t>(s);
    if (!std::isnan(parts.front().raw.value) &&
        std::isnan(parts.front().raw.per_neuroid.const_data_ptr<double>()[s]))
      undefined.push_back(at < data.subjects.size() ? data.subjects[at] : std::to_string(s));
  }
  for (auto& warning :
       left_out(static_cast<size_t>(parts.front().raw.per_neuroid.size(1)), "subjects",
                "have an RDM of one and the same value and are left out of the mean", undefined))
    outcome.warnings.push_back(std::move(warning));
  outcome.score = parts.size() == 1 ? parts[0] : mean_of_halves(parts, options.bootstrap);
  outcome.n = {{"stimuli", data.stimuli.size()}, {"subjects", data.subjects.size()}};
  outcome.params = {{"distance", name_of(benchmark.distance)},
                    {"comparison", name_of(benchmark.comparison)}};
  if (benchmark.responsive_units) outcome.params["units"] = "responsive";
  outcome.resampled = "presentation";
  outcome.fit_s = fit.seconds();
  const Timer drawing;
  outcome.null = null_json(
      null_of(reduced, prepared.whole(), scored, options.make_null ? options.null_draws : 0),
      outcome.score.raw.value, "orders of the stimuli");
  outcome.null_s = drawing.seconds();
  return outcome;
}

NamedReduction RdmBenchmark::profile_reduction(Workbench& workbench) const {
  if (!workbench.options().reference_photos.empty()) {
    throw Error(ErrorKind::kUsage,
                "--reference-photos: " + identifier +
                    " compares RDMs, which depend on the axes of that space: profile layers on "
                    "benchmarks that map, or leave the photos away.");
  }
  return *reduction(workbench);
}

LayerScores RdmBenchmark::profile(const std::vector<ReducedLayer>& layers,
                                  Workbench& workbench) const {
  const auto& part = prepared_rdm(*this, workbench).whole();
  LayerScores scores = {part.ceiling, {}};
  for (const auto& layer : layers) {
    scores.raw.push_back(rdm_similarity_with_draws(compared_pairs(layer.values, comparison),
                                                   part.subjects, workbench.options().bootstrap));
  }
  return scores;
}

}  // namespace cortiscore
