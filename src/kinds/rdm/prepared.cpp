#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/activations/extract.h"
#include "src/ceiling/rsa.h"
#include "src/ceiling/subjects.h"
#include "src/kinds/layer_choice.h"
#include "src/kinds/rdm/data.h"
#include "src/metric/responsive_units.h"

namespace cortiscore {
namespace {

ReductionMemory rdm_memory(int64_t n, int64_t p) {
  const int64_t matrix = n * n * int64_t{sizeof(double)};
  return {matrix, 2 * matrix + block_bytes(n, p)};
}

// Every unit might stand out.
ReductionMemory responsive_memory(int64_t n, int64_t p) {
  auto memory = rdm_memory(n, p);
  memory.working += 2 * n * p * int64_t{sizeof(double)};
  return memory;
}

}  // namespace

PreparedRdm::PreparedRdm(const RdmBenchmark& benchmark,
                         RdmData data,
                         const BootstrapOptions& bootstrap,
                         const at::Device& device)
    : benchmark_(benchmark), data_(std::move(data)), bootstrap_(bootstrap), device_(device) {}

RdmPart PreparedRdm::make(const std::vector<int64_t>& rows) const {
  const auto index = at::tensor(rows, at::kLong);
  RdmPart part;
  part.index = index.to(device_);
  const auto among = [&](const at::Tensor& rdms) {
    return compared_pairs(rdms.index_select(1, index).index_select(2, index), benchmark_.comparison)
        .to(device_);
  };
  part.subjects = {among(data_.rdms), index.size(0), benchmark_.comparison};
  if (!benchmark_.ceiled)
    part.ceiling = undefined_estimate(data_.rdms.size(0), bootstrap_);
  else
    part.ceiling = rdm_ceiling(compared_for_ceiling(part.subjects, among), bootstrap_);
  return part;
}

RdmCeiling PreparedRdm::compared_for_ceiling(
    const SubjectRdms& subjects, const std::function<at::Tensor(const at::Tensor&)>& among) const {
  if (data_.held_out.defined()) {
    return {{among(data_.held_out), subjects.n_presentations, subjects.comparison},
            among(data_.others)};
  }
  switch (benchmark_.bound) {
    case RdmBenchmark::Bound::kUpper:
      return upper_bound(subjects, benchmark_.pooling);
    case RdmBenchmark::Bound::kLower:
      return lower_bound(subjects, benchmark_.pooling);
    case RdmBenchmark::Bound::kPairs:
      break;
  }
  return pairs_of_subjects(subjects);
}

const RdmPart& PreparedRdm::whole() {
  if (!whole_) whole_ = make(rows_from(0, data_.stimuli.size()));
  return *whole_;
}

const std::pair<RdmPart, RdmPart>& PreparedRdm::halves() {
  if (!halves_) {
    const auto [even, odd] = alternating(data_.stimuli, benchmark_.select_by);
    halves_ = {make(even), make(odd)};
  }
  return *halves_;
}

PreparedRdm& prepared_rdm(const RdmBenchmark& benchmark, Workbench& workbench) {
  const auto& options = workbench.options();
  return workbench.once<PreparedRdm>(benchmark.sha256, [&] {
    return PreparedRdm(benchmark, load_rdms(benchmark), options.bootstrap, options.device);
  });
}

const Recordings& RdmBenchmark::recordings(Workbench& workbench) const {
  return prepared_rdm(*this, workbench).data();
}

std::optional<NamedReduction> RdmBenchmark::reduction(Workbench& /*workbench*/) const {
  if (responsive_units) {
    return NamedReduction{"rdm of responsive units " + name_of(distance),
                          [distance = distance](FeatureBlocks& all) {
                            return rdm(cortiscore::responsive_units(all), distance);
                          },
                          responsive_memory};
  }
  return NamedReduction{"rdm " + name_of(distance),
                        [distance = distance](FeatureBlocks& all) { return rdm(all, distance); },
                        rdm_memory};
}

}  // namespace cortiscore
