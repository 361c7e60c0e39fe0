#pragma once
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "cortiscore/score.h"
#include "src/kinds/rdm/definition.h"
#include "src/score/rdm_score.h"

namespace cortiscore {

/// Dissimilarities between the response patterns of stimuli, one matrix a subject.
struct RdmData : Recordings {  ///< stimuli in the order of the RDMs' rows
  std::vector<std::string> subjects;
  /// [n_subjects, n_stimuli, n_stimuli] float64, symmetric: what a network is compared with. Zero
  /// diagonal, but for inner products. One where subjects are averaged.
  at::Tensor rdms;
  at::Tensor held_out, others;  ///< averaged subjects: each one's RDM, and that of the others' mean
};
/// @throws Error(kBadInput)  RDMs that are not square, symmetric and finite, or whose stimuli are
///                           not the set's
RdmData load_rdms(const RdmBenchmark& benchmark);

/// Some presentations of an RDM benchmark.
struct RdmPart {
  at::Tensor index;      ///< rows of the stimulus set, [n] int64, on the device
  SubjectRdms subjects;  ///< on the device
  Estimate ceiling;      ///< bootstrapped
};

/// An RDM benchmark, read, its parts made when first asked for.
class PreparedRdm {
 public:
  PreparedRdm(const RdmBenchmark& benchmark,
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

  RdmBenchmark benchmark_;
  RdmData data_;
  BootstrapOptions bootstrap_;
  at::Device device_;
  std::optional<RdmPart> whole_;
  std::optional<std::pair<RdmPart, RdmPart>> halves_;
};

/// Recordings of a benchmark, prepared once a workbench.
PreparedRdm& prepared_rdm(const RdmBenchmark& benchmark, Workbench& workbench);

}  // namespace cortiscore
