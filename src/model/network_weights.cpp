#include <algorithm>
#include <set>
#include <utility>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/json_fault.h"
#include "src/data/arrays.h"
#include "src/data/safetensors.h"
#include "src/model/archive.h"
#include "src/model/network_state.h"
#include "src/model/weights_differ.h"

namespace cortiscore {

using graph::Json;

std::string WeightsDigest::sha256() const {
  return sha256_of(digests_);
}

at::Tensor on_device(at::Tensor tensor, bool parameter, const at::Device& device) {
  tensor = tensor.to(device);
  // at::matmul folds its batch otherwise when the weight requires grad, as parameters in Python do:
  // without this transformers differ from PyTorch in the last bit.
  if (parameter && tensor.is_floating_point()) tensor.requires_grad_(true);
  return tensor;
}

Network Network::with_weights(const std::string& path) const {
  if (state_->program) {
    throw Error(ErrorKind::kUsage, state_->path +
                                       ": found TorchScript or native code, expected a "
                                       "torch.export archive, whose weights can be "
                                       "exchanged. Write one with `cortiscore model export`.");
  }
  const auto& g = *state_->graph;
  auto state = std::make_shared<State>(*state_);
  state->path = path;
  state->identifier = std::filesystem::path(path).stem().string();
  std::map<std::string, at::Tensor> given;
  if (path.ends_with(".pt2")) {
    const Archive archive(path);
    try {
      const auto config = weights_config(archive);
      for (const auto& [name, entry] : config.items())
        given[name] = read_tensor(archive, entry, "data/weights/", path);
      if (archive.has("extra/cortiscore.json"))
        state->identifier =
            archive.json("extra/cortiscore.json").value("identifier", state->identifier);
    } catch (const Json::exception& e) {
      throw bad_input({path, "data/weights", json_fault(e), "the weights of a torch.export archive",
                       "Write it again with `cortiscore model export` (torch 2.11)"});
    }
  } else if (path.ends_with(".safetensors")) {
    given = read_safetensors(path);
  } else {
    throw bad_input(
        {path, "extension", "\"" + std::filesystem::path(path).extension().string() + "\"",
         ".safetensors or .pt2", "Save the state dict with safetensors.torch.save_file"});
  }
  // By the archive's name, or by the one that the user's own module has.
  const auto plain = [&](const std::string& name) {
    return name.starts_with(g.prefix) ? name.substr(g.prefix.size()) : name;
  };
  const auto find = [&](const std::string& name) {
    const auto found = given.find(name);
    return found == given.end() ? given.find(plain(name)) : found;
  };
  std::vector<std::string> missing;
  std::set<std::string> used;
  WeightsDigest digest;
  for (const auto& slot : g.slots) {
    const auto tensor = state->constants[slot.number].toTensor();
    auto sha256 = slot.sha256;
    // torch counts batches in a buffer that no forward pass in eval mode reads.
    const bool counter = slot.name.ends_with("num_batches_tracked");
    auto found = slot.swapped ? find(slot.name) : given.end();
    for (const auto& [twin, of] : g.twins) {
      if (of != slot.name) continue;
      const auto other = find(twin);
      if (other == given.end()) continue;
      if (found == given.end()) found = other;
      if (!at::equal(found->second, other->second)) {
        throw bad_input({path, other->first, "other values than in " + found->first,
                         "the same, as the graph of " + state_->path + " ties them",
                         "Weights and graph must be of one architecture"});
      }
      used.insert(other->first);
    }
    if (slot.swapped && found == given.end() && !counter) missing.push_back(plain(slot.name));
    if (found != given.end()) {
      const auto type = tensor.scalar_type();
      const auto& weight = found->second;
      // Half precision widens without loss; anything else would change the weights silently.
      const bool widens = type == at::kFloat && (weight.scalar_type() == at::kHalf ||
                                                 weight.scalar_type() == at::kBFloat16);
      const bool fits =
          weight.sizes() == tensor.sizes() && (weight.scalar_type() == type || widens);
      if (!fits && !counter) {
        const auto problem =
            bad_input({path, found->first, c10::str(weight.scalar_type(), " ", weight.sizes()),
                       c10::str(type, " ", tensor.sizes()) + " as in the graph of " + state_->path,
                       "Weights and graph must be of one architecture"});
        if (weight.sizes() == tensor.sizes()) throw WeightsDiffer(problem.kind(), problem.what());
        throw problem;
      }
      used.insert(found->first);
      if (fits) {
        // In the strides of the graph's own weights, as torch's load_state_dict leaves them:
        // kernels are chosen by them.
        auto own = at::empty_like(tensor.detach());
        own.copy_(weight);
        sha256 = sha256_of_values(weight.to(type));
        state->constants[slot.number] = on_device(own, slot.parameter, own.device());
      }
    }
    digest.add(slot.name, sha256);
  }
  std::erase_if(given, [&](const auto& entry) {
    return used.contains(entry.first) || entry.first.ends_with("num_batches_tracked");
  });
  if (!missing.empty() || !given.empty()) {
    const auto& example = missing.empty() ? given.begin()->first : missing.front();
    const auto problem =
        bad_input({path, "weights",
                   std::to_string(missing.size()) + " missing, " + std::to_string(given.size()) +
                       " that the graph does not have; the first is \"" + example + "\"",
                   "the " + std::to_string(g.slots.size()) + " of the graph of " + state_->path,
                   "Weights and graph must be of one architecture"});
    throw WeightsDiffer(problem.kind(), problem.what());
  }
  state->weights_sha256 = digest.sha256();
  Network network;
  network.state_ = std::move(state);
  return network;
}

}  // namespace cortiscore
