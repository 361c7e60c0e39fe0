#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "src/benchmark/coded_choices.h"
#include "src/data/choices.h"
#include "src/engine/benchmark.h"
#include "src/engine/outcome.h"

namespace cortiscore {

struct ChoiceData;

/// A network's choices are compared with those of subjects, or with what is right. BENCHMARKS.md
/// 1.5, 2.
class ChoiceBenchmark : public Benchmark {
 public:
  using Benchmark::Benchmark;

  std::string choices;  ///< CSV of subject, stimulus_id, choice, truth; may be empty
  /// without choices: the column of the stimulus set that says what is right
  std::string truth_column;
  ColumnValues exclude;      ///< choices that are not used
  int64_t sample_every = 1;  ///< of the stimuli with one value of sample_by, each so many-th
  std::string sample_by;
  bool incomplete_choices = false;  ///< subjects need not have seen every test stimulus
  std::string texture_column;       ///< shape_bias, shape_match: the category of the texture
  std::vector<CellColumn> cells;    ///< metrics that compare conditions: what tells them apart
  double scale = 1;                 ///< value_delta
  double lapse = 0;                 ///< value_delta: of subjects
  bool clipped = false;             ///< the ceiled score lies in 0..1
  bool skipna = false;              ///< patterns: cells that the network does not have are left out
  /// As it was published; NaN: the data's own.
  double fixed_ceiling = std::numeric_limits<double>::quiet_NaN();

  std::vector<std::string> files() const override;
  const Recordings& recordings(Workbench& workbench) const override;
  std::string ceiling_name() const override;
  void measure(Json& measured, Workbench& workbench) const override;

  const ChoiceData& data(Workbench& workbench) const;

 protected:
  void read_choices(ManifestReader& reader);
  virtual ChoiceData load() const = 0;
};

/// A readout is fitted to a layer, its choices are compared.
class ReadoutBenchmark final : public ChoiceBenchmark {
 public:
  using ChoiceBenchmark::ChoiceBenchmark;
  static std::shared_ptr<const Benchmark> read(Manifest manifest, ManifestReader& reader);

  std::string fit_stimulus_set;            ///< stimuli of the fit; empty: those of role fit
  std::string role_column;                 ///< says fit or test
  std::vector<std::string> label_columns;  ///< the class to read out; the first that is there
  double readout_c = 1e-3;

  std::vector<std::string> files() const override;
  LayerRule layer_rule() const override;
  Outcome score(const Candidate& candidate, Workbench& workbench) const override;

 protected:
  ChoiceData load() const override;
};

/// An ImageNet classifier's own output decides among categories.
class DecisionsBenchmark final : public ChoiceBenchmark {
 public:
  using ChoiceBenchmark::ChoiceBenchmark;
  static std::shared_ptr<const Benchmark> read(Manifest manifest, ManifestReader& reader);

  std::vector<std::string> classes;  ///< files of categories and the outputs that speak for them
  bool offered_from_truth = false;   ///< among the categories that are right somewhere
  int64_t n_outputs = 1000;          ///< of the classifier that the indices are of

  std::vector<std::string> files() const override;
  LayerRule layer_rule() const override;
  Outcome score(const Candidate& candidate, Workbench& workbench) const override;

 protected:
  ChoiceData load() const override;
};

/// Of three stimuli the one that a layer finds least like the others.
class OddOneOutBenchmark final : public ChoiceBenchmark {
 public:
  using ChoiceBenchmark::ChoiceBenchmark;
  static std::shared_ptr<const Benchmark> read(Manifest manifest, ManifestReader& reader);

  LayerRule layer_rule() const override;
  Outcome score(const Candidate& candidate, Workbench& workbench) const override;

 protected:
  ChoiceData load() const override;
};

/// Metrics on choices of readouts and of classifiers; patterns of confusions are of readouts alone.
const std::vector<std::string>& choice_metrics();

}  // namespace cortiscore
