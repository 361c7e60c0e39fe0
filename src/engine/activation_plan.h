#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/activations/reduce.h"
#include "src/engine/workbench.h"

namespace cortiscore {

struct Candidate;

/// What one benchmark looks at: some layers on its stimuli, reduced in one way.
struct ActivationRequest {
  Benchmark benchmark;
  std::vector<std::string> layers;
  NamedReduction reduction;
};

/// Names a benchmark's stimuli and their size on the screen: benchmarks that agree share a forward pass.
std::string activation_group(const Benchmark& benchmark, Workbench& workbench);

/// What a benchmark keeps of a layer: coordinates for mappings, its RDM, or the activations.
NamedReduction reduction_of(const Benchmark& benchmark);

/// What scoring a candidate on a benchmark takes.
/// @throws Error(kBadInput, kUnknownName)  no layer to score
ActivationRequest score_request(const Candidate& candidate,
                                const Benchmark& benchmark,
                                const ScoreOptions& options);

/// What a candidate's forward passes gave and what is still wanted of them: everything that benchmarks on the same stimuli,
/// of the same size on the screen, look at comes from one pass, whatever their layers and reductions. Kept as long as a
/// benchmark that was announced has not taken it.
class ActivationPlan {
 public:
  /// Announces a request. @param group  stimuli and their size on the screen
  void want(const std::string& group, const ActivationRequest& request);

  /// All that was announced and not made, a group's layers in order of execution: one pass's, where memory allows.
  std::map<std::string, std::vector<LayerWanted>> wanted(const Network& network) const;

  /// What a request asks for. Where some of it was not made yet, one pass makes all that is wanted of its group; where that
  /// fails (another benchmark's layer may be at fault), one of this request alone.
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

/// What a benchmark will ask for before it is scored; nothing of those that show what they find they need.
std::optional<ActivationRequest> request_of(const Candidate& candidate,
                                            const Benchmark& benchmark,
                                            Workbench& workbench);

/// Announces one request.
void announce(const Candidate& candidate, const ActivationRequest& request, Workbench& workbench);

/// A request's layers, by the candidate's plan; or precomputed features, reduced.
/// @throws Error(kBadInput)  features of another number of stimuli; what a forward pass throws
std::vector<ReducedLayer> reduced_for(const Candidate& candidate,
                                      const ActivationRequest& request,
                                      Workbench& workbench,
                                      ExtractionTimes& times);

}  // namespace cortiscore
