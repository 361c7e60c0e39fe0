#pragma once
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "cortiscore/score.h"
#include "src/benchmark/responses.h"
#include "src/kinds/neural/definition.h"
#include "src/resample/splits.h"
#include "src/score/drawn.h"

namespace cortiscore {

/// Some presentations of a neural benchmark, with all that depends on the recordings alone.
struct Part {
  at::Tensor index;                 ///< rows of the stimulus set, [n] int64, on the device
  Splits splits;                    ///< places in `index`
  std::vector<at::Tensor> targets;  ///< a population: trial averages [n, n_neuroids], on the device
  std::vector<Estimate> ceilings;   ///< a population, bootstrapped where there are several
  /// of all neuroids side by side; bootstrapped, unless populations are averaged
  Estimate ceiling;
  DrawnAxes drawn;      ///< of raw values and ceilings; tested presentations alone
  int64_t n_train = 0;  ///< rows of `index` before the tested ones, which no split tests
};

/// The bootstrap of one population. Where populations are averaged, each has draws of its own:
/// neuroids drawn alike in all of them would move together.
BootstrapOptions population_bootstrap(const NeuralBenchmark& benchmark,
                                      BootstrapOptions options,
                                      size_t population);

/// A neural benchmark, read and filtered, its parts made when first asked for.
class PreparedNeural {
 public:
  PreparedNeural(const NeuralBenchmark& benchmark,
                 Responses data,
                 const BootstrapOptions& bootstrap,
                 const std::set<Axis>& over,
                 const at::Device& device);

  const Responses& data() const { return data_; }
  const Part& whole();
  /// The presentations of the even-indexed groups of `select_by`, and of the odd ones; groups in
  /// sorted order. Of fixed train and test stimuli the tested ones are divided; both halves train
  /// on all that are for it.
  const std::pair<Part, Part>& halves();
  /// Of every split of whole(), inner splits of its train presentations: inner_splits().
  const std::vector<Splits>& inner();

 private:
  // @param place  among parts that are averaged: each draws presentations of its own
  Part make(const std::vector<int64_t>& tested, uint64_t place) const;
  PerDraw ceiling_of(const Population& population, const at::Tensor& rows) const;

  NeuralBenchmark benchmark_;
  Responses data_;
  BootstrapOptions bootstrap_;
  std::set<Axis> over_;
  at::Device device_;
  std::optional<Part> whole_;
  std::optional<std::pair<Part, Part>> halves_;
  std::vector<Splits> inner_;
};

/// Recordings of a benchmark, prepared once a workbench.
PreparedNeural& prepared_neural(const NeuralBenchmark& benchmark, Workbench& workbench);

/// What a mapping's record says of it, whatever it is scored with: n_components, alpha or alphas.
Json mapping_params(const NeuralBenchmark& benchmark);

/// A layer's coordinates on a part's presentations mapped onto every population.
/// @param options  benchmark.mapping, and how it is run
std::vector<Predictivity> map_part(const at::Tensor& features,
                                   const Part& part,
                                   const NeuralBenchmark& benchmark,
                                   const MappingOptions& options);

/// What layers compete by, and the raw score: of all neuroids together, or the mean of populations.
double value_of(const std::vector<Estimate>& raw, const NeuralBenchmark& benchmark);

/// Raw scores of features that know nothing of the stimuli: kept_null.
/// @param halves  as where layers competed by halves: the mean over both
std::vector<double> null_of(const NeuralBenchmark& benchmark,
                            Workbench& workbench,
                            PreparedNeural& prepared,
                            bool halves);

}  // namespace cortiscore
