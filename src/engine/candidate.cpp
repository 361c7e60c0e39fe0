#include "src/engine/candidate.h"

#include <filesystem>
#include <set>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/data/arrays.h"
#include "src/data/labelled.h"
#include "src/score/diagnostics.h"

namespace cortiscore {

Candidate candidate_of(Network network) {
  Candidate candidate;
  candidate.path = network.path();
  candidate.identifier = network.identifier();
  candidate.fingerprint = network.fingerprint();
  candidate.network = std::move(network);
  candidate.plan = std::make_shared<ActivationPlan>();
  return candidate;
}

namespace {

Candidate open_activations(const std::string& path,
                           const at::Device& device,
                           const std::string& variable) {
  if (!variable.empty() && holds_one_array(path)) {
    throw Error(ErrorKind::kUsage, "--variable: found " + variable + ", but " + path +
                                       " holds one array alone. Leave the flag away, or name "
                                       "arrays of .nc, .h5, .hdf5 or .npz files.");
  }
  Candidate candidate;
  candidate.path = path;
  auto features =
      read_labelled(path, {"presentation", "neuroid"}, "2: stimuli x features", variable);
  check_finite(features.values, path, "feature", "Recompute the activations");
  candidate.identifier = std::filesystem::path(path).stem().string();
  candidate.sha256 = sha256_of_file(path);
  std::string what = "features " + candidate.sha256;
  if (!features.stimulus_ids.empty()) what += " by stimulus_id";
  if (!variable.empty()) what += " " + variable;
  candidate.fingerprint = sha256_of(what);
  candidate.features = features.values.to(device);
  candidate.stimulus_ids = std::move(features.stimulus_ids);
  if (candidate.stimulus_ids.empty())
    note(path, "no stimulus_id; rows are matched by place to those of the stimulus set");
  return candidate;
}

}  // namespace

Candidate open_candidate(const std::string& path,
                         const at::Device& device,
                         const LoadOptions& options,
                         const std::string& variable) {
  const Timer opening;
  const Stage reading(StageName::kOpen);
  Candidate candidate;
  candidate.path = path;
  if (is_array_file(path)) {
    candidate = open_activations(path, device, variable);
    candidate.open_s = opening.seconds();
    return candidate;
  }
  if (!path.ends_with(".pt2") && !path.ends_with(".pt")) {
    throw bad_input(
        {path, "extension", "\"" + std::filesystem::path(path).extension().string() + "\"",
         ".pt2 (a network), .pt (TorchScript), or .npy, .npz, .nc, .h5, .csv, .tsv, .txt "
         "(activations)",
         "Write a network with `cortiscore model export`"});
  }
  candidate = candidate_of(Network::load(path, device, options));
  candidate.open_s = opening.seconds();
  return candidate;
}

at::Tensor features_for(const Candidate& candidate,
                        const std::vector<std::string>& ids,
                        const std::string& expected,
                        const std::string& action) {
  const auto n = static_cast<int64_t>(ids.size());
  const auto& there = candidate.stimulus_ids;
  if (there.empty()) {
    if (candidate.features.size(0) == n) return candidate.features;
    throw bad_input({candidate.path, "rows", std::to_string(candidate.features.size(0)),
                     std::to_string(n) + ", " + expected, action});
  }
  if (there == ids) return candidate.features;  // a stimulus that several sets show, too
  const std::set<std::string> shown(ids.begin(), ids.end());
  std::vector<std::string> kept;
  std::vector<int64_t> rows;
  for (size_t i = 0; i < there.size(); ++i) {
    if (!shown.contains(there[i])) continue;
    kept.push_back(there[i]);
    rows.push_back(static_cast<int64_t>(i));
  }
  const auto left_out = there.size() - kept.size();
  const auto places =
      places_of(ids, "the stimuli shown", kept, candidate.path, "stimulus_id", action);
  if (left_out) {
    note(candidate.path, std::to_string(left_out) + " of " + std::to_string(there.size()) +
                             " rows are of other stimuli and are left out");
  }
  std::vector<int64_t> order;
  for (const auto place : places) order.push_back(rows[static_cast<size_t>(place)]);
  return candidate.features.index_select(
      0, at::tensor(order, at::kLong).to(candidate.features.device()));
}

}  // namespace cortiscore
