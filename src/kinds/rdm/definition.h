#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/ceiling/rsa.h"
#include "src/engine/outcome.h"
#include "src/kinds/recorded.h"
#include "src/metric/rdm.h"

namespace cortiscore {

/// A layer's RDM is compared with those of subjects: rdm, cka. BENCHMARKS.md 1.2.
class RdmBenchmark final : public RecordedBenchmark {
 public:
  using RecordedBenchmark::RecordedBenchmark;
  static const std::vector<std::string>& metrics();
  static std::shared_ptr<const Benchmark> read(Manifest manifest, ManifestReader& reader);

  /// What the ceiling compares. cka: pairs of subjects.
  enum class Bound { kUpper, kLower, kPairs };

  std::string rdms;           ///< RDMs of subjects, NetCDF-4, in place of their responses
  AcceptedValues where;       ///< of that file
  bool similarities = false;  ///< that file holds similarities s: dissimilarities are 1 - s
  /// Of a layer's units that stand out (src/metric/responsive_units.h).
  bool responsive_units = false;
  bool averaged_subjects = false;  ///< one RDM of responses that are averaged over subjects
  RdmDistance distance = RdmDistance::kCorrelation;
  RdmComparison comparison = RdmComparison::kSpearman;
  Bound bound = Bound::kUpper;
  RdmPooling pooling = RdmPooling::kAsTheyAre;  ///< of the ceiling
  CeilingConvention convention;

  std::vector<std::string> files() const override;
  const Recordings& recordings(Workbench& workbench) const override;
  LayerRule layer_rule() const override;
  std::optional<NamedReduction> reduction(Workbench& workbench) const override;
  Outcome score(const Candidate& candidate, Workbench& workbench) const override;
  NamedReduction profile_reduction(Workbench& workbench) const override;
  LayerScores profile(const std::vector<ReducedLayer>& layers, Workbench& workbench) const override;
  std::string ceiling_name() const override;
  void describe(Json& json) const override;
  void measure(Json& measured, Workbench& workbench) const override;
  Benchmarks populations() const override;
};

}  // namespace cortiscore
