#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cortiscore/score.h"
#include "src/activations/reduce.h"
#include "src/benchmark/benchmark.h"
#include "src/model/network.h"
#include "src/ops/top_vector.h"
#include "src/score/rdm_score.h"
#include "src/stimuli/screen.h"

namespace cortiscore {

/// What a committed layer was chosen on.
struct ChosenOn {
  std::string layer, benchmark;
  std::vector<std::string> data_sha256;
};

struct ScoreOptions {
  CeilingConvention convention = CeilingConvention::kR2OverC;
  std::map<std::string, std::string> layers;               ///< region -> layer; "" for every region
  std::map<std::string, std::vector<ChosenOn>> chosen_on;  ///< of a layer map, by region
  int64_t n_candidates = 12;  ///< layers tried where none is given, evenly spaced in depth
  double memory_gib = 4;      ///< passes under way, activations, and what becomes of them
  std::string spill_folder;   ///< for layers that do not fit; may be empty
  std::string
      reference_photos;  ///< layer choice: the stimulus set in whose span wide layers are kept; may be empty
  TopVectorMode mode = TopVectorMode::kSklearn;
  BootstrapOptions bootstrap;
  at::Device device = at::kCPU;  ///< runs networks and mappings
  LoadOptions load;              ///< of networks
};

/// Some presentations of a neural benchmark, with all that depends on the recordings alone.
struct Part {
  at::Tensor index;                 ///< rows of the stimulus set, [n] int64, on the device
  Splits splits;                    ///< places in `index`
  std::vector<at::Tensor> targets;  ///< a population: trial averages [n, n_neuroids], on the device
  std::vector<Estimate> ceilings;   ///< a population, bootstrapped where there are several
  Estimate
      ceiling;  ///< of all neuroids side by side; bootstrapped, unless populations are averaged
};

/// The bootstrap of one population. Where populations are averaged, each has draws of its own: neuroids drawn alike in all
/// of them would move together.
BootstrapOptions population_bootstrap(const Benchmark& benchmark,
                                      BootstrapOptions options,
                                      size_t population);

/// A neural benchmark, read and filtered, its parts made when first asked for.
class PreparedNeural {
 public:
  PreparedNeural(const Benchmark& benchmark,
                 NeuralData data,
                 const BootstrapOptions& bootstrap,
                 const at::Device& device);

  const NeuralData& data() const { return data_; }
  const Part& whole();
  /// The presentations of the even-indexed groups of `select_by`, and of the odd ones; groups in sorted order. Of fixed
  /// train and test stimuli the tested ones are divided; both halves train on all that are for it.
  const std::pair<Part, Part>& halves();

 private:
  Part make(const std::vector<int64_t>& tested) const;
  Estimate ceiling_of(const Population& population, const at::Tensor& rows) const;

  Benchmark benchmark_;
  NeuralData data_;
  BootstrapOptions bootstrap_;
  at::Device device_;
  std::optional<Part> whole_;
  std::optional<std::pair<Part, Part>> halves_;
};

/// Some presentations of an RDM benchmark.
struct RdmPart {
  at::Tensor index;      ///< rows of the stimulus set, [n] int64, on the device
  SubjectRdms subjects;  ///< on the device
  Estimate ceiling;      ///< bootstrapped
};

/// An RDM benchmark, read, its parts made when first asked for.
class PreparedRdm {
 public:
  PreparedRdm(const Benchmark& benchmark,
              RdmData data,
              const BootstrapOptions& bootstrap,
              const at::Device& device);

  const RdmData& data() const { return data_; }
  const RdmPart& whole();
  const std::pair<RdmPart, RdmPart>& halves();  ///< as PreparedNeural's

 private:
  RdmPart make(const std::vector<int64_t>& rows) const;
  /// @param among  RDMs [k, n_stimuli, n_stimuli] as the part's presentations have them
  RdmCeiling compared_for_ceiling(const SubjectRdms& subjects,
                                  const std::function<at::Tensor(const at::Tensor&)>& among) const;

  Benchmark benchmark_;
  RdmData data_;
  BootstrapOptions bootstrap_;
  at::Device device_;
  std::optional<RdmPart> whole_;
  std::optional<std::pair<RdmPart, RdmPart>> halves_;
};

/// What the networks of one run share: recordings, halves, splits, ceilings and decoded stimuli, each made once.
class Workbench {
 public:
  /// @param many_networks  whether stimuli are shown again to the next one
  /// @param stimulus_bytes  decoded stimuli that are kept; beyond it, sets are decoded again each time
  explicit Workbench(ScoreOptions options,
                     bool many_networks,
                     int64_t stimulus_bytes = int64_t{2} << 30);

  const ScoreOptions& options() const { return options_; }
  ExtractionLimits limits() const {
    return {static_cast<int64_t>(options_.memory_gib * static_cast<double>(1 << 30)),
            options_.spill_folder};
  }
  PreparedNeural& neural(const Benchmark& benchmark);
  PreparedRdm& rdm(const Benchmark& benchmark);
  const BehavioralData& behavior(const Benchmark& benchmark);
  const SolutionTimeData& solution_times(const Benchmark& benchmark);
  const PropertyData& properties(const Benchmark& benchmark);
  const FactorData& factors(const Benchmark& benchmark);
  const ThresholdData& thresholds(const Benchmark& benchmark);
  /// A stimulus set that benchmarks share, by its file.
  const OpenedStimuli& opened(const Benchmark& benchmark, const std::string& file);
  /// Responses that the properties of one network's layer share, by a name; those of the network before are let go.
  std::map<std::string, at::Tensor>& responses(const std::string& of);
  /// SHA-256 of every file that the benchmark's scores depend on; the stimulus set's last.
  const std::vector<std::string>& data_sha256(const Benchmark& benchmark);
  /// What the benchmark's data leave out, with counts and reasons.
  std::vector<std::string> left_out(const Benchmark& benchmark);
  const StimulusSet& stimuli(const Benchmark& benchmark);
  /// Stimuli on the screen of a network's input.
  Screen& screen(const Benchmark& benchmark, const Preprocessing& preprocessing);
  /// The reference photos, filling a network's field; null where there are none.
  Screen* reference(const Network& network);
  /// Their number and SHA-256, for commitments. @throws Error(kBadInput)  fewer than two
  std::pair<int64_t, std::string> reference_photos();

 private:
  ScoreOptions options_;
  bool many_networks_;
  int64_t stimulus_bytes_;
  std::map<std::string, std::unique_ptr<PreparedNeural>> neural_;  // by the manifest's sha256
  std::map<std::string, std::unique_ptr<PreparedRdm>> rdm_;
  std::map<std::string, std::unique_ptr<BehavioralData>> behavior_;
  std::map<std::string, std::unique_ptr<SolutionTimeData>> solution_times_;
  std::map<std::string, std::unique_ptr<PropertyData>> properties_;
  std::map<std::string, std::unique_ptr<FactorData>> factors_;  // by set and seed
  std::map<std::string, std::unique_ptr<ThresholdData>> thresholds_;
  std::map<std::string, std::unique_ptr<OpenedStimuli>> opened_;  // by path
  std::string responses_of_;
  std::map<std::string, at::Tensor> responses_;
  std::map<std::string, std::unique_ptr<Screen>> screens_;
  std::optional<StimulusSet> photos_;

  Screen& screen_of(const StimulusSet& stimuli,
                    const std::string& name,
                    const Preprocessing& preprocessing);
  const StimulusSet& photos();
};

}  // namespace cortiscore
