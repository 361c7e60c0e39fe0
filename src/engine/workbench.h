#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <typeindex>
#include <utility>
#include <vector>

#include "cortiscore/score.h"
#include "src/activations/reduce.h"
#include "src/benchmark/recordings.h"
#include "src/engine/candidate_layers.h"
#include "src/model/network.h"
#include "src/ops/top_vector.h"
#include "src/resample/bootstrap.h"
#include "src/stimuli/screen.h"

namespace cortiscore {

struct ShownStimuli;

/// What a committed layer was chosen on.
struct ChosenOn {
  std::string layer, benchmark;
  std::vector<std::string> data_sha256;
};

/// How a layer is found where none is committed to, and the benchmark lets several compete.
enum class LayerChoice {
  kNested,    ///< in every split on its train presentations, wherever that can be
  kHalves,    ///< on alternating halves of the presentations
  kCommitted  ///< not at all: one must be named
};

/// "nested", "halves", "committed".
std::string name_of(LayerChoice choice);
/// @throws Error(kUsage)  another word
LayerChoice layer_choice(const std::string& name);

struct ScoreOptions {
  CeilingConvention convention = {CeilingConvention::Ratio::kR2OverC};
  std::map<std::string, std::string> layers;               ///< region -> layer; "" for every region
  std::map<std::string, std::vector<ChosenOn>> chosen_on;  ///< of a layer map, by region
  LayerChoice choice = LayerChoice::kNested;
  int64_t n_candidates = 12;  ///< layers that compete at most, evenly spaced in depth
  CandidatesFrom from = CandidatesFrom::kBlocks;
  /// Passes under way, activations, and what becomes of them; 0: usual_memory_gib() whenever that
  /// is planned, since beside a training the memory that is free changes.
  double memory_gib = 0;
  bool say_memory = false;   ///< to a person, once it is needed: nobody said how much
  std::string spill_folder;  ///< for layers that do not fit; may be empty
  /// layer choice: the stimulus set in whose span wide layers are kept; may be empty
  std::string reference_photos;
  TopVectorMode mode = TopVectorMode::kSklearn;
  BootstrapOptions bootstrap;
  /// Of benchmarks that map onto neuroids: what intervals are over, neuroids, presentations or
  /// both.
  std::set<Axis> over = {Axis::kNeuroid};
  /// Maps that a benchmark's null is drawn of, and of RDMs twice as many orders of stimuli; 0:
  /// none.
  int64_t null_draws = 100;
  bool make_null = true;         ///< else only those that are kept on this machine
  at::Device device = at::kCPU;  ///< runs networks and mappings
  LoadOptions load;              ///< of networks
};

/// GiB that scoring takes of a device's memory where nothing else is said: half of what is free
/// now, in whole quarters of one, and a quarter at least.
double usual_memory_gib(const at::Device& device);

/// What the networks of one run share: recordings, halves, splits, ceilings and decoded stimuli,
/// each made once.
class Workbench {
 public:
  /// @param many_networks  whether stimuli are shown again to the next one
  /// @param stimulus_bytes  decoded stimuli that are kept; beyond it, sets are decoded again each
  ///                        time
  explicit Workbench(ScoreOptions options,
                     bool many_networks,
                     int64_t stimulus_bytes = int64_t{2} << 30);

  const ScoreOptions& options() const { return options_; }
  /// Of forward passes.
  ExtractionLimits limits();

  /// What is made when it is first asked for, and kept: of a benchmark by its manifest's SHA-256,
  /// of several by what they share.
  /// @param name  among all of type T
  template <typename T, typename Make>
  T& once(const std::string& name, const Make& make) {
    auto& one = made_[{std::type_index(typeid(T)), name}];
    if (!one) one = std::make_shared<T>(make());
    return *static_cast<T*>(one.get());
  }

  /// A stimulus set that benchmarks share, by its file.
  const Recordings& opened(const Manifest& benchmark, const std::string& file);
  /// Responses that the benchmarks of one network's layer share, by a name; those of the network
  /// before are let go.
  std::map<std::string, at::Tensor>& responses(const std::string& of);
  /// Stimuli on the screen of a network's input.
  Screen& screen(const ShownStimuli& shown, const Network& network);
  /// The reference photos, filling a network's field; null where there are none.
  Screen* reference(const Network& network);
  /// Their number and SHA-256, for commitments. @throws Error(kBadInput)  fewer than two
  std::pair<int64_t, std::string> reference_photos();

 private:
  ScoreOptions options_;
  bool many_networks_;
  int64_t stimulus_bytes_;
  std::map<std::pair<std::type_index, std::string>, std::shared_ptr<void>> made_;
  bool said_memory_ = false;
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
