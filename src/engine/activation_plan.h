#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "src/activations/reduce.h"
#include "src/engine/workbench.h"

namespace cortiscore {

struct Candidate;

/// Stimuli as a candidate is shown them: requests that agree in these share a forward pass.
struct ShownStimuli {
  const StimulusSet* stimuli = nullptr;  ///< kept by the workbench
  std::string sha256;                    ///< of their ids and images
  double visual_degrees = 8;             ///< 0: they fill the network's field
  int64_t trials = 1;                    ///< of every stimulus, moved by microsaccades

  /// A name that no other stimuli, sizes on the screen or trials have.
  std::string group() const;
};

/// A set that a benchmark shows on the way to its score. Its size on the screen is the set's column
/// `degrees`, where it has one, else the benchmark's.
/// @throws Error(kBadInput)  several sizes in one set
ShownStimuli shown_set(const Manifest& benchmark, const Recordings& set, int64_t trials = 1);

/// What one benchmark looks at: some layers on some stimuli, reduced in one way.
struct ActivationRequest {
  ShownStimuli shown;
  std::vector<std::string> layers;
  NamedReduction reduction;
};

/// What a candidate's forward passes gave and what is still wanted of them: everything that
/// benchmarks on the same stimuli, of the same size on the screen, look at comes from one pass,
/// whatever their layers and reductions. Kept as long as a benchmark that was announced has not
/// taken it.
class ActivationPlan {
 public:
  /// Announces a request. @param group  stimuli and their size on the screen
  void want(const std::string& group, const ActivationRequest& request);

  /// All that was announced and not made, a group's layers in order of execution: one pass's, where
  /// memory allows.
  std::map<std::string, std::vector<LayerWanted>> wanted(const Network& network) const;

  /// What a request asks for. Where some of it was not made yet, one pass makes all that is wanted
  /// of its group; where that fails (another benchmark's layer may be at fault), one of this
  /// request alone.
  std::vector<ReducedLayer> take(const std::string& group,
                                 const ActivationRequest& request,
                                 const Network& network,
                                 Screen& screen,
                                 const ExtractionLimits& limits,
                                 ExtractionTimes& times,
                                 Screen* reference = nullptr);

 private:
  struct Item {
    NamedReduction reduction;
    int64_t uses = 0;  // requests that were announced and have not taken it
    std::optional<ReducedLayer> made;
  };
  struct Group {
    std::map<std::string, std::map<std::string, Item>> items;  // by layer and reduction
    bool together = true;
  };
  static std::vector<LayerWanted> missing(const Group& group, const Network& network);

  std::map<std::string, Group> groups_;
};

/// Announces one request.
void announce(const Candidate& candidate, const ActivationRequest& request);

/// A request's layers, by the candidate's plan; or precomputed features, reduced.
/// @throws Error(kBadInput)  features of another number of stimuli; what a forward pass throws
std::vector<ReducedLayer> reduced_for(const Candidate& candidate,
                                      const ActivationRequest& request,
                                      Workbench& workbench,
                                      ExtractionTimes& times);

}  // namespace cortiscore
