#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cortiscore/score.h"
#include "src/benchmark/manifest.h"
#include "src/benchmark/recordings.h"
#include "src/engine/activation_plan.h"
#include "src/engine/layer_rule.h"
#include "src/results/json.h"

namespace cortiscore {

struct LayerScores;
struct Outcome;

/// A benchmark: what its manifest says, and what its kind makes of it. Each kind is a room of
/// src/kinds.
class Benchmark : public Manifest {
 public:
  explicit Benchmark(Manifest manifest) : Manifest(std::move(manifest)) {}
  virtual ~Benchmark() = default;

  /// The files that its manifest names, the stimulus set's first.
  virtual std::vector<std::string> files() const = 0;

  /// What was shown and recorded, read once a workbench.
  /// @throws Error(kBadInput)  files that are not there (with how to import them), or that do not
  ///                           fit together
  virtual const Recordings& recordings(Workbench& workbench) const = 0;

  virtual LayerRule layer_rule() const = 0;

  /// Whether it maps onto recorded neuroids, so that ScoreOptions::over says what intervals are
  /// over.
  virtual bool maps_neuroids() const { return false; }

  /// What is kept of a layer for a score: all activations, unless the kind says otherwise; nothing
  /// of kinds that show what they find they need.
  virtual std::optional<NamedReduction> reduction(Workbench& workbench) const;

  virtual Outcome score(const Candidate& candidate, Workbench& workbench) const = 0;

  /// What a profile keeps of every layer: so little of each that many are held.
  /// @throws Error(kUsage)  a kind that looks at one layer alone
  virtual NamedReduction profile_reduction(Workbench& workbench) const;
  /// Scores of layers that were reduced so, on all presentations.
  virtual LayerScores profile(const std::vector<ReducedLayer>& layers, Workbench& workbench) const;

  /// What scores are divided by, in words.
  virtual std::string ceiling_name() const = 0;
  /// Adds what is particular to the kind to `benchmark info`.
  virtual void describe(Json& json) const;
  /// Adds what only the data can say: sizes, and the ceiling of all presentations.
  virtual void measure(Json& measured, Workbench& workbench) const = 0;

  /// Each of several populations as a benchmark of its own, in no composite; else none.
  virtual std::vector<std::shared_ptr<const Benchmark>> populations() const { return {}; }

 protected:
  Benchmark(const Benchmark&) = default;
  Benchmark& operator=(const Benchmark&) = default;
};

using Benchmarks = std::vector<std::shared_ptr<const Benchmark>>;

/// Whether all of its files are on this machine.
bool is_here(const Benchmark& benchmark);

/// Its own stimuli, as a candidate is shown them.
ShownStimuli shown_stimuli(const Benchmark& benchmark, Workbench& workbench);

/// What scoring takes of a candidate's forward passes, as far as it is known before: the layers of
/// the rule, on the benchmark's own stimuli.
std::optional<ActivationRequest> score_request(const Candidate& candidate,
                                               const Benchmark& benchmark,
                                               Workbench& workbench);
/// What a profile takes of them: each of `layers`, in the benchmark's window of time.
ActivationRequest profile_request(const Candidate& candidate,
                                  const Benchmark& benchmark,
                                  const std::vector<std::string>& layers,
                                  Workbench& workbench);

/// Adds a ceiling to what `measure` says.
void add_ceiling(Json& measured, const Estimate& ceiling);

}  // namespace cortiscore
