#include "src/score/property_score.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/metric/property.h"
#include "src/metric/tuning.h"
#include "src/score/diagnostics.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace {

// Spikes per second: weaker units have no property.
constexpr double kResponse = 5;

const std::vector<PropertyName> kProperties = {{"preferred_orientation", "orientation"},
                                               {"circular_variance", "orientation"},
                                               {"orientation_bandwidth", "orientation"},
                                               {"orthogonal_preferred_ratio", "orientation"},
                                               {"orientation_selective", "orientation"},
                                               {"cv_bandwidth_ratio", "orientation"},
                                               {"opr_cv_difference", "orientation"},
                                               {"modulation_ratio", "orientation"},
                                               {"max_dc", "orientation"},
                                               {"peak_spatial_frequency", "spatial_frequency"},
                                               {"spatial_frequency_bandwidth", "spatial_frequency"},
                                               {"spatial_frequency_selective", "spatial_frequency"},
                                               {"surround_suppression_index", "radius"},
                                               {"grating_summation_field", "radius"},
                                               {"surround_diameter", "radius"},
                                               {"texture_modulation_index", "type"},
                                               {"absolute_texture_modulation_index", "type"},
                                               {"texture_selectivity", "type"},
                                               {"texture_sparseness", "type"},
                                               {"texture_variance_ratio", "type"},
                                               {"max_texture", "type"},
                                               {"max_noise", "type"}};

// Of curves [units, rest, points], the one with the highest point; which one, and that height.
struct Best {
  at::Tensor curve, rest, height;
};

Best best_of(const at::Tensor& curves) {
  const auto peak = curves.amax(2);
  const auto rest = peak.argmax(1);
  const auto index = rest.view({-1, 1, 1}).expand({curves.size(0), 1, curves.size(2)});
  return {curves.gather(1, index).squeeze(1), rest, peak.amax(1)};
}

at::Tensor rows_where(const at::Tensor& values, const at::Tensor& kept) {
  return values.index_select(0, kept.nonzero().squeeze(1));
}

at::Tensor of_orientation(const std::string& name,
                          const Harmonics& h,
                          const at::Tensor& baseline,
                          const std::vector<double>& degrees) {
  const auto best = best_of(h.dc);
  const auto kept = best.height > baseline + kResponse;
  const auto curve = rows_where(best.curve, kept);
  const auto ringach = [&] {
    return orientation_tuning(curve, degrees, kRingachBandwidth).bandwidth;
  };
  if (name == "preferred_orientation") {
    const auto preferred = orientation_tuning(curve, degrees, kDeValoisBandwidth).preferred;
    return at::where(preferred >= 157.5, preferred - 180, preferred);
  }
  if (name == "circular_variance") return circular_variance(curve, degrees);
  if (name == "orientation_bandwidth") return ringach();
  if (name == "orthogonal_preferred_ratio") return orthogonal_ratio(curve);
  if (name == "orientation_selective") return ringach().isfinite().to(at::kDouble);
  if (name == "cv_bandwidth_ratio") return circular_variance(curve, degrees) / ringach();
  if (name == "opr_cv_difference")
    return orthogonal_ratio(curve) - circular_variance(curve, degrees);
  if (name == "max_dc") return rows_where(best.height, kept);
  const auto index = best.rest.view({-1, 1, 1}).expand({h.f1.size(0), 1, h.f1.size(2)});
  const auto f1 = rows_where(h.f1.gather(1, index).squeeze(1), kept);
  const auto preferred = curve.argmax(1, true);
  return (f1.gather(1, preferred) / curve.gather(1, preferred)).squeeze(1);  // modulation ratio
}

// Simple cells by their first harmonic, complex ones by their mean above the baseline: whichever is
// larger.
Best of_simple_or_complex(const Harmonics& h, const at::Tensor& baseline) {
  const auto dc = best_of(h.dc - baseline.view({-1, 1, 1})), f1 = best_of(h.f1);
  const auto simple = f1.height > dc.height;
  return {
      at::where(simple.unsqueeze(1), f1.curve, dc.curve), {}, at::maximum(f1.height, dc.height)};
}

at::Tensor of_frequency(const std::string& name,
                        const Harmonics& h,
                        const at::Tensor& baseline,
                        const std::vector<double>& frequencies) {
  if (name == "peak_spatial_frequency") {  // De Valois et al. 1982
    const auto best = of_simple_or_complex(h, baseline);
    return frequency_tuning(rows_where(best.curve, best.height > kResponse), frequencies).peak;
  }
  const auto best = best_of(h.dc);  // Schiller et al. 1976
  const auto ratio =
      frequency_tuning(rows_where(best.curve, best.height > baseline + kResponse), frequencies)
          .bandwidth_ratio;
  return name == "spatial_frequency_bandwidth" ? ratio : ratio.isfinite().to(at::kDouble);
}

at::Tensor of_size(const std::string& name,
                   const Harmonics& h,
                   const at::Tensor& baseline,
                   const std::vector<double>& radii) {
  const auto best = of_simple_or_complex(h, baseline);
  const auto tuning = size_tuning(rows_where(best.curve, best.height > kResponse), radii);
  if (name == "surround_suppression_index") return tuning.suppression_index;
  return name == "grating_summation_field" ? tuning.summation_field : tuning.surround_diameter;
}

at::Tensor of_texture(const std::string& name,
                      const at::Tensor& responses,  // [units, 2, families, samples]
                      const at::Tensor& baseline) {
  const auto highest = responses.flatten(1).amax(1) - baseline;
  const auto kept = highest > kResponse;
  const auto r = rows_where(responses, kept);
  const auto tuning = texture_tuning(r.select(1, 0), r.select(1, 1), rows_where(baseline, kept));
  if (name == "texture_modulation_index") return tuning.modulation_index;
  if (name == "absolute_texture_modulation_index") return tuning.absolute_modulation_index;
  if (name == "texture_selectivity") return tuning.selectivity;
  if (name == "texture_sparseness") return tuning.sparseness;
  if (name == "texture_variance_ratio") return tuning.variance_ratio;
  return name == "max_texture" ? tuning.max_texture : tuning.max_noise;
}

at::Tensor defined(const at::Tensor& values) {
  return values.masked_select(values.isfinite());
}

Estimate estimate_of(const at::Tensor& draws, const BootstrapOptions& options) {
  Estimate estimate;
  const auto all = draws.cpu().contiguous();
  const auto* const first = all.const_data_ptr<double>();
  auto values = counted_draws({first, first + all.numel()});
  estimate.value = mean_skip_nan(values);
  estimate.error = deviation(values, 0);
  estimate.split_values = {estimate.value};
  set_interval(values, options.level, estimate.ci_lo, estimate.ci_hi);
  estimate.draws.values = std::move(values);
  return estimate;
}

Estimate likeness(const at::Tensor& units,
                  const at::Tensor& neuroids,
                  const std::vector<double>& bins,
                  const BootstrapOptions& options) {
  const auto edges = at::tensor(bins, units.options());
  const auto drawn = defined(units);
  auto estimate = estimate_of(ks_similarity(drawn, defined(neuroids), edges,
                                            std::max<int64_t>(options.n_boot, 1), options.seed),
                              options);
  if (drawn.numel() < 2)  // a single unit can only be drawn as it is
    estimate.error = estimate.ci_lo = estimate.ci_hi = std::nan("");
  return estimate;
}

}  // namespace

PropertyName property_name(const std::string& name) {
  for (const auto& property : kProperties) {
    if (property.name == name) return property;
  }
  throw unknown_name("property", name, "this version", property_names());
}

std::vector<std::string> property_names() {
  std::vector<std::string> names;
  for (const auto& property : kProperties) names.push_back(property.name);
  return names;
}

at::Tensor property_of_units(const PropertyName& property,
                             const at::Tensor& responses,
                             const at::Tensor& baseline,
                             const StimulusGrid& grid) {
  const auto order = at::tensor(grid.order, at::kLong).to(responses.device());
  const auto by_unit = responses.index_select(0, order).t().contiguous().view(
      {responses.size(1), grid.rest, static_cast<int64_t>(grid.points.size()), grid.repeats});
  if (property.along == "type") return of_texture(property.name, by_unit, baseline);
  const auto h = harmonics(by_unit);
  if (property.along == "orientation")
    return of_orientation(property.name, h, baseline, grid.points);
  if (property.along == "spatial_frequency")
    return of_frequency(property.name, h, baseline, grid.points);
  return of_size(property.name, h, baseline, grid.points);
}

Score property_score(const at::Tensor& units,
                     const at::Tensor& neuroids,
                     const std::vector<double>& bins,
                     const BootstrapOptions& options) {
  auto score = ceiled_by_draws(likeness(units, neuroids.to(units.device()), bins, options),
                               property_ceiling(neuroids, bins, options), CeilingConvention{},
                               options.level);
  score.warnings = left_out(units.numel() - count_defined(units), units.numel(),
                            "units that respond have no value of the property and are left out");
  if (count_defined(units) == 1)
    score.warnings.emplace_back(
        "no interval over unit: one alone has the property, so there is nothing to draw");
  if (neuroids.numel() == 1)
    score.warnings.emplace_back("ceiling: no interval over neuroid: there is one alone");
  return score;
}

Estimate property_ceiling(const at::Tensor& neuroids,
                          const std::vector<double>& bins,
                          const BootstrapOptions& options) {
  return likeness(neuroids, neuroids, bins, options);
}

int64_t count_defined(const at::Tensor& values) {
  return values.isfinite().sum().item<int64_t>();
}

}  // namespace cortiscore
