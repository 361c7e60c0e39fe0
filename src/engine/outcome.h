#pragma once
#include <ATen/core/Tensor.h>

#include "src/engine/score_network.h"

namespace cortiscore {

/// What a benchmark of one kind leaves for the record.
struct Outcome {
  Score score;
  std::string layer;  ///< "a + b" where two halves chose differently
  Json layer_selection, n, populations = Json::array(), metric;
  std::string resampled;   ///< what intervals resample
  std::string convention;  ///< how raw was divided by its ceiling; empty: there is none
  std::vector<std::string> warnings;
  ExtractionTimes times;
  double fit_s = 0;
};

Outcome score_neural(const Candidate& candidate, const Benchmark& benchmark, Workbench& workbench);
Outcome score_rdm(const Candidate& candidate, const Benchmark& benchmark, Workbench& workbench);
Outcome score_readout(const Candidate& candidate, const Benchmark& benchmark, Workbench& workbench);
Outcome score_decisions(const Candidate& candidate,
                        const Benchmark& benchmark,
                        Workbench& workbench);
Outcome score_odd_one_out(const Candidate& candidate,
                          const Benchmark& benchmark,
                          Workbench& workbench);
Outcome score_solution_times(const Candidate& candidate,
                             const Benchmark& benchmark,
                             Workbench& workbench);
Outcome score_property(const Candidate& candidate,
                       const Benchmark& benchmark,
                       Workbench& workbench);
Outcome score_factors(const Candidate& candidate, const Benchmark& benchmark, Workbench& workbench);
Outcome score_thresholds(const Candidate& candidate,
                         const Benchmark& benchmark,
                         Workbench& workbench);

Outcome score_domains(const Candidate& candidate, const Benchmark& benchmark, Workbench& workbench);

/// What factor_dimensionality takes of a layer: the same of all benchmarks with the same pairs.
ActivationRequest factor_request(const Candidate& candidate,
                                 const Benchmark& benchmark,
                                 Workbench& workbench);

/// A layer's coordinates on a part's presentations mapped onto every population. @param options  benchmark.mapping, and
/// how it is run
std::vector<Predictivity> map_part(const at::Tensor& features,
                                   const Part& part,
                                   const Benchmark& benchmark,
                                   const MappingOptions& options);

/// What a mapping's record says of it, whatever it is scored with: n_components, alpha or alphas.
Json mapping_params(const Benchmark& benchmark);

/// The layers that a benchmark tries: the committed one, or its kind's candidates.
std::vector<std::string> layers_for(const Candidate& candidate,
                                    const Benchmark& benchmark,
                                    const ScoreOptions& options);

/// A layer in the benchmark's window of time, where its calls stand for time bins; else the layer.
/// @throws Error(kBadInput)  time bins that do not cover the window
std::string in_window_of(const Benchmark& benchmark,
                         const Network& network,
                         const std::string& layer);

/// Where layers were committed to: by a map (with what they were chosen on), or by hand.
Json committed_json(const Benchmark& benchmark,
                    const ScoreOptions& options,
                    const std::vector<std::string>& layers);

/// The layer of highest value, NaN below all. @param values  a layer
size_t best_of(const std::vector<double>& values);

/// Milliseconds of forward passes and what they went to (docs/formats.md).
Json timing_json(const ExtractionTimes& times);
/// `peak_bytes` of a record (docs/formats.md).
Json peak_bytes_json(const ExtractionTimes& times);

Json estimate_json(const Estimate& estimate, const char* key);

}  // namespace cortiscore
