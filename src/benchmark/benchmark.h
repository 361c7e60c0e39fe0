#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cortiscore/assembly.h"
#include "cortiscore/score.h"
#include "src/benchmark/coded_choices.h"
#include "src/data/choices.h"
#include "src/metric/factors.h"
#include "src/metric/predictivity.h"
#include "src/metric/rdm.h"
#include "src/resample/splits.h"
#include "src/score/cells.h"
#include "src/score/choices.h"
#include "src/score/properties.h"
#include "src/score/solution_times.h"
#include "src/stimuli/stimulus_set.h"

namespace cortiscore {

/// How presentations are divided: "shuffle", "stratified_shuffle", "leave_one_group_out", "train_test", which trains on one
/// stimulus set and tests on another, or "column", whose stimulus set says "train" or "test" (others are not used).
struct SplitRule {
  std::string kind;
  std::string by;  ///< column of the stimulus set: classes or groups
  int64_t n_splits = 10;
  double train_fraction = 0.9;
  uint32_t seed = 1;
  std::string
      disjoint;  ///< column: presentations that share a value with a tested one are not trained on
};

/// What a benchmark is: a manifest, schema version 1 (docs/formats.md).
struct Benchmark {
  /// How a candidate meets the data.
  enum class Kind {
    kMapping,    ///< neural: layers are mapped onto neuroids (pls)
    kRdm,        ///< neural: a layer's RDM is compared with subjects' (rdm)
    kReadout,    ///< behaviour: a readout is fitted to a layer, its choices compared with subjects'
    kDecisions,  ///< behaviour: an ImageNet classifier's own output decides among categories
    kOddOneOut,  ///< behaviour: of three stimuli the one that a layer finds least like the others
    kSolutionTimes,  ///< neural: when a network's time bins tell objects, beside IT
    kProperty,       ///< neural: a property's distribution among units and among neuroids
    kFactors,        ///< neural: how many of a layer's dimensions a factor of the stimuli has
    kThreshold,      ///< behaviour: a readout's psychometric threshold, beside those of subjects
    kDomains,  ///< behaviour: how well objects are read out of a layer in each of several domains
    kStimuli   ///< what a layer is shown on the way to one of the others: no benchmark of its own
  };
  struct AssemblyFile {
    std::string identifier;
    std::string file;
    std::vector<std::pair<std::string, std::vector<std::string>>>
        where;                                         ///< coordinate and its accepted values
    std::optional<std::pair<double, double>> time_ms;  ///< the bins used; else there is one
    /// What the bins within time_ms become: one mean, neuroids of their own, or a population each.
    enum class Bins { kAveraged, kNeuroids, kPopulations } bins = Bins::kAveraged;
    std::string repetition = "repetition";  ///< coordinate that numbers the trials
    std::string train_file;                 ///< train_test: responses to the train stimuli
    std::string each;                       ///< coordinate of which every value is a population
    std::optional<std::pair<std::string, double>> above;  ///< coordinate, threshold: neuroids kept
  };
  std::string identifier;
  int64_t version = 1;
  Kind kind = Kind::kMapping;
  std::string region;
  std::string parent;         ///< node of the tree under which it is averaged
  bool composite = true;      ///< takes part in composites
  double weight = 1;          ///< among the children of its parent
  double visual_degrees = 8;  ///< 0: the stimuli fill the network's field
  std::string stimulus_set;
  std::string train_stimulus_set;        ///< neural: of the train files
  std::vector<AssemblyFile> assemblies;  ///< neural: populations, each mapped apart
  bool mean_of_populations = false;      ///< scored apart and averaged; else their neuroids pooled
  std::string rdms;                      ///< RDMs of subjects, NetCDF-4
  std::vector<std::pair<std::string, std::vector<std::string>>>
      rdms_where;             ///< coordinate and its accepted values
  bool similarities = false;  ///< the file holds similarities s: dissimilarities are 1 - s
  bool responsive_units =
      false;  ///< rdm: of a layer's units that stand out (src/metric/responsive_units.h)
  bool averaged_subjects = false;  ///< rdm: one RDM of responses that are averaged over subjects
  /// rdm: what the ceiling compares. cka: pairs of subjects.
  enum class RdmBound { kUpper, kLower, kPairs } rdm_bound = RdmBound::kUpper;
  CeilingConvention rdm_convention = CeilingConvention::kROverC;
  std::optional<std::pair<double, double>>
      window_ms;        ///< of a network that changes in time, where no assembly says it
  std::string choices;  ///< behaviour: CSV of subject, stimulus_id, choice, truth; may be empty
  std::map<std::string, std::string>
      columns;                   ///< our names of the columns of choices, to the file's
  std::string truth_column;      ///< behaviour without choices: the column that says what is right
  std::string fit_stimulus_set;  ///< readout: stimuli of the fit; empty: those of role fit
  std::vector<std::string>
      fit_stimulus_sets;  ///< threshold: of a readout each, over which scores are averaged
  std::string baseline_stimulus_set, baseline_choices;  ///< threshold_elevation: what is divided by
  std::string variable;                     ///< threshold: column of the stimulus variable
  double accuracy = 0.75;                   ///< threshold: that defines it
  int64_t fit_trials = 1, test_trials = 1;  ///< threshold: of every stimulus
  int64_t trials = 1;                       ///< kStimuli: of every stimulus, moved by microsaccades
  std::string domain;                       ///< two_way_accuracy: column of domains
  std::string factor;                       ///< factor_dimensionality: "shape" or "texture"
  uint32_t pair_seed = 0;
  std::string role_column;  ///< readout: says fit or test
  std::vector<std::string>
      label_columns;         ///< readout: the class to read out; the first that is there
  ColumnValues exclude;      ///< choices that are not used
  int64_t sample_every = 1;  ///< of the stimuli with one value of sample_by, each so many-th
  std::string sample_by;
  bool incomplete_choices = false;  ///< subjects need not have seen every test stimulus
  bool skipna = false;              ///< patterns: cells that the network does not have are left out
  std::vector<std::string>
      classes;  ///< decisions: files of categories and the outputs that speak for them
  bool offered_from_truth = false;  ///< decisions: among the categories that are right somewhere
  int64_t n_outputs = 1000;         ///< decisions: of the classifier that the indices are of
  std::string texture_column;       ///< shape_bias, shape_match: the category of the texture
  std::vector<CellColumn> cells;    ///< metrics that compare conditions: what tells them apart
  double scale = 1;                 ///< value_delta
  double lapse = 0;                 ///< value_delta: of subjects
  bool clipped = false;             ///< the ceiled score lies in 0..1
  std::vector<std::pair<double, double>> bins_ms;  ///< ost: time bins that are read out
  std::string property,
      recorded_property;  ///< ks_similarity: what it is, and the file's name of it
  std::map<std::string, std::string>
      property_stimuli;  ///< ks_similarity: sets by role: blank, receptive_field, orientation
  double fixed_ceiling = std::numeric_limits<double>::quiet_NaN();  ///< as it was published
  std::string metric;  ///< pls, ridge, ridgecv, rdm, error_consistency, ...
  RdmDistance distance = RdmDistance::kCorrelation;
  RdmComparison comparison = RdmComparison::kSpearman;
  bool ceiled = true;  ///< false: the data hold no ceiling, the score is raw and joins no composite
  MappingOptions mapping;  ///< how layers predict neuroids
  bool reverse = false;    ///< neuroids predict the layer's units
  bool predictor_ceiling =
      false;  ///< halves drawn anew for every stimulus (src/ceiling/split_half_predictor.h)
  bool spantime = false;  ///< one mapping for all time bins, which are populations
  double readout_c = 1e-3;
  SplitRule splits;
  std::string
      select_by;  ///< alternating halves of this column; empty: one layer on all presentations
  int64_t ceiling_splits = 10;
  uint32_t ceiling_seed = 1;
  double keep_above =
      -1;  ///< neuroids with internal consistency above this are kept; negative: all
  bool drop_incomplete = false;  ///< stimuli that lack a neuroid's every trial are left out
  std::string
      ceiling_coordinate;  ///< of the assembly: every neuroid's ceiling, as it was published
  bool noise_ceiling_percent =
      false;  ///< that coordinate is explainable variance v in percent: the ceiling is sqrt(v / 100)
  double published_ceiling = std::numeric_limits<double>::quiet_NaN();
  int64_t published_stimuli = 0, published_neuroids = 0;  ///< 0: not published
  int64_t published_trials =
      0;  ///< that the platform asks of a network; those that it asks of a deterministic one are alike
  std::string species, modality, access;  ///< macaque, electrophysiology, public or private, ...
  std::string how_to_import, citation, licence, note;
  std::string inexact;  ///< why the platform's score cannot be had exactly; empty where it can
  bool simulated = false;
  std::string path;
  std::string sha256;  ///< of the manifest

  /// What the benchmark's files call a column of ours.
  const std::string& column(const std::string& ours) const;
  /// The first of label_columns that a set has; where it has none, the last, of which the set then says so.
  const std::string& label_column(const StimulusSet& stimuli) const;
  /// Features that a layer must have: one a PLS component; three for a correlation between patterns to say anything.
  int64_t min_features() const;
};

/// Every manifest of the project and of home()/benchmarks, by identifier.
/// @throws Error(kBadInput)  a manifest that is not schema version 1
std::vector<Benchmark> all_benchmarks();

/// Benchmarks by name: an identifier, a population of one ("Henaff2021.V1.ay2_u003-pls"), or the path of a manifest.
/// @throws Error(kUnknownName)  with the nearest names
Benchmark find_benchmark(const std::string& name);

/// One recorded population, ready to be scored.
struct Population {
  std::string identifier;
  std::vector<std::string> neuroid_ids;
  at::Tensor
      trials;  ///< [n_repetitions, n_stimuli - n_train, n_neuroids] float64, NaN where missing
  at::Tensor train;           ///< train_test: [n_train, n_neuroids], trials averaged
  at::Tensor averaged;        ///< [n_stimuli, n_neuroids]
  at::Tensor stored_ceiling;  ///< [n_neuroids], where the benchmark has a ceiling_coordinate
  int64_t n_dropped = 0;

  int64_t n_neuroids() const { return trials.size(2); }
  /// Leaves out all other neuroids. @param kept  int64
  void keep(const at::Tensor& kept);
};

struct NeuralData {
  StimulusSet stimuli;  ///< in the order of the rows of every population; train stimuli first
  int64_t n_train = 0;  ///< train_test; all others are tested
  std::vector<Population> populations;
  std::vector<std::string> data_sha256;
  std::vector<std::string> warnings;  ///< what is left out, with its count and why
};

/// Reads assemblies and stimulus set; neuroids below the benchmark's consistency are dropped.
/// @throws Error(kBadInput)  files that are not there (with how to import them), or that do not fit together
NeuralData load_neural(const Benchmark& benchmark);

/// Dissimilarities between the response patterns of stimuli, one matrix a subject.
struct RdmData {
  StimulusSet stimuli;  ///< in the order of the RDMs' rows
  std::vector<std::string> subjects;
  /// [n_subjects, n_stimuli, n_stimuli] float64, symmetric: what a network is compared with. Zero diagonal, but for inner
  /// products. One where subjects are averaged.
  at::Tensor rdms;
  at::Tensor held_out, others;  ///< averaged subjects: each one's RDM, and that of the others' mean
  std::vector<std::string> data_sha256;
  std::vector<std::string> warnings;  ///< what is left out, with its count and why
};
/// @throws Error(kBadInput)  RDMs that are not square, symmetric and finite, or whose stimuli are not the set's
RdmData load_rdms(const Benchmark& benchmark);

/// Choices of observers on the test stimuli.
struct BehavioralData {
  StimulusSet stimuli;  ///< fit stimuli first, then those of the test that are not among them
  int64_t n_fit = 0;
  std::vector<int64_t> test;    ///< rows of `stimuli`
  std::vector<int64_t> labels;  ///< readout: class code of every fit stimulus
  std::vector<std::string> class_names;
  std::vector<int64_t> truth,
      texture;  ///< class codes of the test stimuli; patterns: places in `objects`
  std::vector<std::string> subjects;
  SubjectChoices choices;  ///< of subjects on the test stimuli; not for patterns
  at::Tensor
      chosen;  ///< [n_subjects, n_test] int64: code of the choice, -1 for none or one that is no class
  TwoWayTrials trials;           ///< patterns: of all subjects
  std::vector<int64_t> objects;  ///< patterns: class codes of what was offered and chosen
  CellMetric cell_metric;        ///< metrics of conditions
  CellTrials cells;              ///< of subjects, by test stimulus
  at::Tensor cell;               ///< [n_test] int64, the cell of each test stimulus
  at::Tensor triplets;           ///< odd one out: [t, 3] int64, rows of `stimuli`
  at::Tensor odd;                ///< [t] int64: the row that the subject chose
  /// Decisions: the outputs of a classifier that speak for each class. Source: Geirhos et al. 2021.
  std::vector<std::vector<int64_t>> outputs;
  std::vector<std::string> data_sha256;
  std::vector<std::string> warnings;  ///< what is left out, with its count and why
};
BehavioralData load_behavior(const Benchmark& benchmark);

/// Images whose object IT solves, and when; features are the network's to add.
struct SolutionTimeData {
  StimulusSet stimuli;  ///< solved ones alone, in the order of `images`
  SolvedImages images;
  int64_t n_presentations = 0;  ///< with those that are not solved
  std::vector<std::string> data_sha256;
  std::vector<std::string> warnings;  ///< what is left out, with its count and why
};
SolutionTimeData load_solution_times(const Benchmark& benchmark);

/// "shape" and "texture", in the order of their codes.
const std::vector<std::string>& factor_names();

/// Every stimulus with a partner that shares one of its factors, drawn as the platform's Islam2021 draws them.
struct FactorData {
  StimulusSet stimuli;
  FactorPairs pairs;
  std::vector<std::string> data_sha256;
};
/// What pairs depend on beside the stimuli: equal for benchmarks that share them.
std::string name_of_pairs(const Benchmark& benchmark);
/// @throws Error(kBadInput)  a stimulus without a partner
FactorData load_factors(const Benchmark& benchmark);

/// Where gratings stood: rows of a stimulus set in the order [y, x, rest].
struct ReceptiveFieldGrid {
  std::vector<int64_t> order;
  std::vector<double> y, x;  ///< degrees
  int64_t rest = 1;
};

/// A stimulus set, opened and hashed.
struct OpenedStimuli {
  StimulusSet stimuli;
  std::vector<std::string> data_sha256;  ///< of its table; of ids and images
};
OpenedStimuli open_stimuli(const std::string& path);

/// A set that a property shows: blank, receptive_field, orientation, or (no role) its own.
struct PropertySet {
  std::string role, file;
  int64_t n = 0;
  std::string sha256;  ///< of ids and images
};

/// A property of recorded neuroids, and the stimuli that find it in units.
struct PropertyData {
  at::Tensor recorded;       ///< [n_neuroids] float64, finite
  std::vector<double> bins;  ///< edges, ascending
  StimulusSet stimuli;       ///< of the property
  StimulusGrid grid, orientation;
  ReceptiveFieldGrid receptive_field;
  double y = 0, x = 0;            ///< where the gratings of orientation stand, degrees
  std::vector<PropertySet> sets;  ///< blank, receptive field, orientation, the property's own
  std::vector<std::string> data_sha256;
  std::vector<std::string> warnings;  ///< what is left out, with its count and why
};
/// @param open  a set by its file, opened once however many properties show it
PropertyData load_properties(const Benchmark& benchmark,
                             const std::function<const OpenedStimuli&(const std::string&)>& open);

/// Stimuli that a threshold is found with, each several times.
struct ThresholdSet {
  std::string file;
  int64_t trials = 1, n_stimuli = 0;
  std::vector<int64_t> truth;  ///< of every stimulus: its label's code
  std::vector<double> x;       ///< of every stimulus: the variable; not of fits

  int64_t n_presentations() const { return n_stimuli * trials; }
};

/// Subjects' thresholds, or elevations over a baseline, and the stimuli that find a network's.
struct ThresholdData {
  std::vector<ThresholdSet> fits;  ///< a readout each
  std::optional<ThresholdSet> baseline;
  ThresholdSet test;
  std::vector<std::string> class_names, subjects;
  std::vector<double> thresholds;  ///< of every subject; elevations where there is a baseline
  StimulusSet stimuli;             ///< of the test
  std::vector<std::string> data_sha256;
  std::vector<std::string> warnings;  ///< what is left out, with its count and why
};
/// @param open  a set by its file, opened once however many benchmarks show it
ThresholdData load_thresholds(const Benchmark& benchmark,
                              const std::function<const OpenedStimuli&(const std::string&)>& open);

/// What a benchmark shows on the way, as one of kind kStimuli; its size on the screen is the set's column `degrees`, where
/// it has one. @throws Error(kBadInput)  several sizes in one set
Benchmark showing(const Benchmark& benchmark, const std::string& file, const StimulusSet& stimuli);

/// The splits of a rule over `rows` of a stimulus set (indices into `rows`, not into the set).
Splits make_splits(const SplitRule& rule,
                   const StimulusSet& stimuli,
                   const std::vector<int64_t>& rows);

}  // namespace cortiscore
