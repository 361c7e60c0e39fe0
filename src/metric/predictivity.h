#pragma once
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/mapping/mask.h"
#include "src/mapping/pls.h"
#include "src/mapping/ridge.h"
#include "src/resample/bootstrap.h"

namespace cortiscore {

/// How source features become predicted target responses.
enum class MappingKind { kPls, kRidge, kRidgeCv, kLinear, kNeuronToNeuron, kMask };

/// The platform's name of each; of kMask, which needs the layout of features, there is none among
/// them.
const std::map<std::string, MappingKind>& mapping_kinds();

struct MappingOptions {
  MappingKind kind = MappingKind::kPls;
  PlsOptions pls{};
  double ridge_alpha = 1;
  std::vector<double> ridgecv_alphas = platform_alphas();
  double linear_cutoff = -1;  ///< see linear_cross_validate
  MaskOptions mask{};
  Precision precision = Precision::kFloat64;  ///< pls, ridge, ridgecv
  bool keep_predictions = false;
};

/// Cross-validated predictivity: Pearson r between predicted and recorded responses of each
/// neuroid, per split.
struct Predictivity {
  /// [n_splits, n_neuroids] float64, NaN for a neuroid that is constant in a split
  at::Tensor per_neuroid;
  std::vector<at::Tensor> predictions;  ///< a split: [n_test, n_neuroids] float64, where kept
  at::Tensor iterations;                ///< pls: [n_splits, n_components] int64
  at::Tensor marginal;                  ///< pls: [n_splits, n_components] bool
  at::Tensor exhausted;                 ///< pls: [n_splits, n_components] bool
  int64_t max_iter = 0;                 ///< pls
  at::Tensor alpha;                     ///< ridge, ridgecv: [n_splits] float64
  at::Tensor alpha_at_end;              ///< ridgecv: [n_splits] bool, an end of the list was chosen
};

/// The platform's metrics `pls`, `ridge`, `ridgecv`, `linear`, `neuron_to_neuron`; with source and
/// target exchanged, its `reverse_` ones. One split that trains on some rows and tests on others is
/// a `_split` metric.
/// @param source  [n_presentations, n_features], finite (check_finite in src/score/diagnostics.h:
///                asking is a copy)
/// @param target  [n_presentations, n_neuroids], finite, same device
/// @throws Error(kBadInput)  what pls_cross_validate throws
Predictivity predictivity(const at::Tensor& source,
                          const at::Tensor& target,
                          const Splits& splits,
                          const MappingOptions& options = {});

/// The platform's `spantime_` metrics: one mapping over the presentations of all time bins
/// together, r per bin.
/// @param source  [n_presentations, n_features, n_time_bins]
/// @param target  [n_presentations, n_neuroids, n_time_bins]
/// @param splits  over presentations: all bins of one are on the same side
/// @return per_neuroid [n_splits, n_neuroids * n_time_bins], bins fastest; predictions likewise
Predictivity spantime_predictivity(const at::Tensor& source,
                                   const at::Tensor& target,
                                   const Splits& splits,
                                   const MappingOptions& options = {});

/// The platform's `spantime_pls` of a source that responds alike in every time bin: every product
/// of the stacked rows with the source is one with the sum over bins, so the regression is that on
/// the bins' mean; its predictions are compared with each bin. Ridge is not alike: its penalty
/// would count against every bin.
/// @param source   [n_presentations, n_features]  @param targets  a bin: [n_presentations,
///                 n_neuroids]
/// @return a bin: per_neuroid [n_splits, n_neuroids]; what else the fit says, with the first
std::vector<Predictivity> spantime_predictivity(const at::Tensor& source,
                                                const std::vector<at::Tensor>& targets,
                                                const Splits& splits,
                                                const MappingOptions& options = {});

/// Pearson r for every draw of presentations with predictions fixed: over the test presentations,
/// each counted as often as it was drawn.
/// @param fit      with predictions kept where presentations are drawn
/// @param target   [n_presentations, n_neuroids]
/// @return [draws.n, n_splits, n_neuroids] float64; [1, ...] where presentations are not drawn
at::Tensor predictivity_per_draw(const Predictivity& fit,
                                 const at::Tensor& target,
                                 const Splits& splits,
                                 const Draws& draws);

/// Score for every draw of neuroids, presentations and splits with predictions fixed: median over
/// neuroids of predictivity_per_draw, then the mean over splits; NaN is skipped.
/// @param fit      with predictions kept where presentations are drawn
/// @param target   [n_presentations, n_neuroids]
/// @return [draws.n] float64
at::Tensor predictivity_draws(const Predictivity& fit,
                              const at::Tensor& target,
                              const Splits& splits,
                              const Draws& draws);

}  // namespace cortiscore
