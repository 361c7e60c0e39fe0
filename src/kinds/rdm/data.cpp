#include "src/kinds/rdm/data.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/data/arrays.h"
#include "src/data/choices.h"
#include "src/data/labelled.h"
#include "src/data/netcdf.h"
#include "src/metric/rdm.h"

namespace cortiscore {
namespace {

at::Tensor rdm_of(const at::Tensor& responses,
                  const RdmBenchmark& benchmark,
                  const std::string& of) {
  auto matrix = rdm(responses, benchmark.distance);
  if (!matrix.isfinite().all().equal(at::scalar_tensor(true, at::kBool))) {
    throw bad_input({benchmark.identifier, of,
                     "a stimulus without a response, or with one and the same in all neuroids",
                     "a dissimilarity for every pair", "Leave the stimulus or the neuroids out"});
  }
  return matrix;
}

// One RDM of the mean over subjects, whose voxels are the same and each less its mean over stimuli;
// and of every subject and of the others' mean, for the ceiling. Trials are the subjects'.
void average_subjects(const RdmBenchmark& benchmark, const Population& population, RdmData& data) {
  const auto centred = population.trials - population.trials.nanmean(1, true);
  const int64_t n = centred.size(0);
  if (n < 2)
    throw bad_input(
        {benchmark.identifier, "subjects", std::to_string(n), "at least 2, for a ceiling", ""});
  std::vector<at::Tensor> held_out, others;
  for (int64_t s = 0; s < n; ++s) {
    const auto name = "subject " + std::to_string(s);
    data.subjects.push_back(name);
    held_out.push_back(rdm_of(centred[s], benchmark, name));
    const auto rest = at::cat({centred.narrow(0, 0, s), centred.narrow(0, s + 1, n - s - 1)});
    others.push_back(rdm_of(rest.mean(0), benchmark, "all but " + name));
  }
  data.rdms = rdm_of(centred.mean(0), benchmark, population.identifier).unsqueeze(0);
  data.held_out = at::stack(held_out);
  data.others = at::stack(others);
}

// RDMs of the averaged responses of every population, or of their mean.
RdmData from_responses(const RdmBenchmark& benchmark) {
  auto recorded = load_responses(benchmark, benchmark.responses);
  RdmData data;
  if (benchmark.averaged_subjects) {
    average_subjects(benchmark, recorded.populations.front(), data);
  } else {
    std::vector<at::Tensor> rdms;
    for (const auto& population : recorded.populations) {
      auto responses = population.trials.nanmean(0);
      if (population.train.defined()) responses = at::cat({population.train, responses});
      data.subjects.push_back(population.identifier);
      rdms.push_back(rdm_of(responses, benchmark, population.identifier));
    }
    data.rdms = at::stack(rdms);
  }
  data.stimuli = std::move(recorded.stimuli);
  data.warnings = std::move(recorded.warnings);
  data.data_sha256 = std::move(recorded.data_sha256);
  return data;
}

// [subject, presentation, presentation_other] float64, from dims in any order, columns in the order
// of the rows.
at::Tensor matrices_of(Assembly& assembly, const std::string& path) {
  std::vector<int64_t> order;
  std::vector<std::string> dims;
  for (const auto* name : {"subject", "presentation", "presentation_other"}) {
    const auto found = std::find(assembly.dims.begin(), assembly.dims.end(), name);
    if (found == assembly.dims.end()) continue;
    order.push_back(found - assembly.dims.begin());
    dims.emplace_back(name);
  }
  const bool one = !dims.empty() && dims.front() != "subject";
  if (order.size() != assembly.dims.size() || order.size() != (one ? 2U : 3U)) {
    std::string found;
    for (const auto& dim : assembly.dims) found += (found.empty() ? "" : ", ") + dim;
    throw bad_input({path, "dims", found, "[subject,] presentation, presentation_other",
                     "Write the RDMs as docs/formats.md says"});
  }
  assembly.values = assembly.values.to(at::kDouble).permute(order);
  assembly.dims = dims;
  align_columns(assembly);
  return (one ? assembly.values.unsqueeze(0) : assembly.values).contiguous();
}

RdmData from_file(const RdmBenchmark& benchmark) {
  const auto path = data_file(benchmark, benchmark.rdms);
  auto assembly = read_assembly(path);
  for (const auto& [coordinate, accepted] : benchmark.where)
    assembly = select(assembly, coordinate, accepted);
  auto rdms = matrices_of(assembly, path);
  if (benchmark.similarities) rdms = 1 - rdms;
  const auto n = rdms.size(1);
  const auto ids = assembly.coord("stimulus_id").as_text();
  if (rdms.size(2) != n || static_cast<int64_t>(ids.size()) != n || n < 4) {
    throw bad_input({path, "data", c10::str(rdms.sizes()),
                     "square RDMs of at least 4 stimuli, one stimulus_id a row", ""});
  }
  const auto all_true = [](const at::Tensor& flags) { return flags.const_data_ptr<bool>()[0]; };
  if (!all_true(rdms.isfinite().all())) {
    throw bad_input({path, "data", "NaN or infinity", "a dissimilarity for every pair",
                     "Drop the stimuli that a subject did not see"});
  }
  check_rdms(rdms, path);
  RdmData data;
  if (assembly.dims.size() == 3 && assembly.coords.contains("subject"))
    data.subjects = assembly.coords.at("subject").as_text();
  else
    for (int64_t s = 0; s < rdms.size(0); ++s) data.subjects.push_back(std::to_string(s));
  // In the order of the stimulus set, as activations come.
  const auto all = StimulusSet::open(data_file(benchmark, benchmark.stimulus_set));
  if (distinct(ids).size() != ids.size())
    throw bad_input({path, "stimulus_id", "an id twice", "one row a stimulus", ""});
  const auto rows = all.order_of(ids);
  std::vector<std::string> ordered;
  for (const auto i : rows) ordered.push_back(ids[static_cast<size_t>(i)]);
  data.stimuli = all.select(ordered);
  const auto index = at::tensor(rows, at::kLong);
  data.rdms = rdms.index_select(1, index).index_select(2, index);
  data.data_sha256 = {sha256_of_file(path), data.stimuli.sha256()};
  return data;
}

}  // namespace

RdmData load_rdms(const RdmBenchmark& benchmark) {
  auto data = benchmark.rdms.empty() ? from_responses(benchmark) : from_file(benchmark);
  if (benchmark.ceiled && !data.held_out.defined() && data.rdms.size(0) < 2) {
    throw bad_input({benchmark.identifier, "subjects", "1", "at least 2 for the ceiling \"rsa\"",
                     "Give the manifest the ceiling \"none\""});
  }
  return data;
}

}  // namespace cortiscore
