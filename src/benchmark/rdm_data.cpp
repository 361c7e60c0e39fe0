#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/benchmark/benchmark.h"
#include "src/benchmark/data_file.h"
#include "src/data/arrays.h"
#include "src/data/netcdf.h"
#include "src/metric/rdm.h"

namespace cortiscore {

namespace {

// RDMs of the averaged responses of every population.
RdmData from_responses(const Benchmark& benchmark) {
  auto recorded = load_neural(benchmark);
  RdmData data;
  std::vector<at::Tensor> rdms;
  for (const auto& population : recorded.populations) {
    auto responses = population.trials.nanmean(0);
    if (population.train.defined()) responses = at::cat({population.train, responses});
    data.subjects.push_back(population.identifier);
    rdms.push_back(rdm(responses, benchmark.distance));
    if (!rdms.back().isfinite().all().equal(at::scalar_tensor(true, at::kBool))) {
      throw bad_input({benchmark.identifier, population.identifier,
                       "a stimulus without a response, or with one and the same in all neuroids",
                       "a dissimilarity for every pair", "Leave the stimulus or the neuroids out"});
    }
  }
  data.rdms = at::stack(rdms);
  data.stimuli = std::move(recorded.stimuli);
  data.data_sha256 = std::move(recorded.data_sha256);
  return data;
}

RdmData from_file(const Benchmark& benchmark) {
  const auto path = data_file(benchmark, benchmark.rdms);
  auto assembly = read_assembly(path);
  const auto n_dims = assembly.dims.size();
  const bool named = n_dims >= 2 && assembly.dims[n_dims - 2] == "presentation" &&
                     assembly.dims[n_dims - 1] == "presentation_other" &&
                     (n_dims == 2 || (n_dims == 3 && assembly.dims[0] == "subject"));
  if (!named) {
    std::string found;
    for (const auto& dim : assembly.dims) found += (found.empty() ? "" : ", ") + dim;
    throw bad_input({path, "dims", found, "[subject,] presentation, presentation_other",
                     "Write the RDMs as docs/formats.md says"});
  }
  auto rdms = assembly.values.to(at::kDouble);
  if (n_dims == 2) rdms = rdms.unsqueeze(0);
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
  const auto largest = rdms.abs().amax();
  const auto diagonal = rdms.diagonal(0, 1, 2).abs().amax();
  if (!all_true((rdms - rdms.transpose(1, 2)).abs().amax() <= 1e-6 * largest) ||
      !all_true(diagonal <= 1e-6 * largest)) {
    throw bad_input({path, "data", "an asymmetric matrix, or a diagonal that is not zero",
                     "dissimilarities", "A similarity s becomes 1 - s"});
  }
  RdmData data;
  if (n_dims == 3 && assembly.coords.contains("subject"))
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

RdmData load_rdms(const Benchmark& benchmark) {
  auto data = benchmark.rdms.empty() ? from_responses(benchmark) : from_file(benchmark);
  if (benchmark.ceiled && data.rdms.size(0) < 2) {
    throw bad_input({benchmark.identifier, "subjects", "1", "at least 2 for the ceiling \"rsa\"",
                     "Give the manifest the ceiling \"none\""});
  }
  return data;
}

}  // namespace cortiscore
