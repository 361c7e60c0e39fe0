#pragma once
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"

namespace cortiscore {

/// How stimuli are crossed: `order` lists rows of a stimulus set as [rest, points, repeats], where
/// `points` are the values of what a property varies along (orientation, spatial frequency, radius)
/// and repeats are phases; for textures as [2 (texture, noise), families, samples].
struct StimulusGrid {
  std::vector<int64_t> order;
  int64_t rest = 1;
  std::vector<double> points;
  int64_t repeats = 1;
};

/// A property of V1 neuroids, by the platform's name, and the column that its stimuli vary along
/// ("type" for textures).
struct PropertyName {
  std::string name, along;
};
/// @throws Error(kUnknownName)  with the nearest names
PropertyName property_name(const std::string& name);
std::vector<std::string> property_names();

/// A property of every unit that responds enough (5 spikes/s): [units] float64, NaN where it is not
/// defined for a unit.
/// @param responses  [n_stimuli, units] spikes/s  @param baseline  [units], to the blank
at::Tensor property_of_units(const PropertyName& property,
                             const at::Tensor& responses,
                             const at::Tensor& baseline,
                             const StimulusGrid& grid);

/// The distribution of a property among units beside that among neuroids: mean over draws of the
/// platform's bootstrap, the data's own likeness as the ceiling, raw / ceiling. Draws that are NaN
/// are skipped; above 100 of 1000 the score is 0.
/// Source: Marques et al. 2021; BENCHMARKS.md 2.17.
Score property_score(const at::Tensor& units,
                     const at::Tensor& neuroids,
                     const std::vector<double>& bins,
                     const BootstrapOptions& options = {});

/// The ceiling alone.
Estimate property_ceiling(const at::Tensor& neuroids,
                          const std::vector<double>& bins,
                          const BootstrapOptions& options = {});

/// How many values are finite.
int64_t count_defined(const at::Tensor& values);

}  // namespace cortiscore
