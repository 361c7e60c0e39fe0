#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"

namespace cortiscore {

/// Tensors by their names.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// A network that is being trained: what it takes, and how its layers are had.
struct TrainedNetwork {
  int64_t input_size = 0;         ///< N of images [batch, 3, N, N], float32
  std::vector<double> mean, std;  ///< per channel, of values in 0..1; empty: it normalises itself
  double degrees = 8;             ///< visual angle that its input spans
  at::Device device = at::kCPU;   ///< where its weights are
  /// Layers by their names, for a batch of images on the device: the first axis of each, or the one
  /// that features follow, is the batch. It runs in eval mode and without gradients, in one thread
  /// at a time.
  std::function<NamedTensors(const at::Tensor&)> forward;
  /// Its weights and buffers as they are now; records carry their SHA-256, and what a store holds
  /// of the same weights is not scored again.
  std::function<NamedTensors()> state;
  /// Called before and after every evaluation, also one that failed, e.g. to switch to eval mode
  /// and back.
  std::function<void()> begin, end;
};

/// A TrainedNetwork of a torch::nn::Module (a shared_ptr, or what a TORCH_MODULE holds), which is
/// in eval mode while it is scored, every submodule of it, and afterwards as it was.
/// @param forward  as TrainedNetwork::forward
template <typename Module>
TrainedNetwork trained_network(Module module,
                               int64_t input_size,
                               std::function<NamedTensors(const at::Tensor&)> forward) {
  TrainedNetwork network;
  network.input_size = input_size;
  network.forward = std::move(forward);
  network.state = [module]() mutable {
    NamedTensors state;
    for (const auto& item : module->named_parameters())
      state.emplace_back(item.key(), item.value());
    for (const auto& item : module->named_buffers()) state.emplace_back(item.key(), item.value());
    return state;
  };
  if (const auto parameters = module->parameters(); !parameters.empty())
    network.device = parameters.front().device();
  const auto modes = std::make_shared<std::vector<bool>>();
  network.begin = [module, modes]() mutable {
    modes->clear();
    for (const auto& part : module->modules()) modes->push_back(part->is_training());
    module->eval();
  };
  network.end = [module, modes]() mutable {
    size_t i = 0;
    // The outer first: train() of a module is that of all in it.
    for (const auto& part : module->modules()) part->train((*modes)[i++]);
  };
  return network;
}

/// When and on what a Probe scores.
struct ProbeOptions {
  std::vector<std::string> benchmarks;  ///< identifiers, or paths of manifests
  int64_t every = 500;                  ///< steps
  std::string options = "{}";  ///< a JSON object, as score() takes it: layers, bootstrap, ...
  std::optional<std::string> results;  ///< folder of a store
  std::string run = "run";             ///< records' networks are RUN-stepN, with tags run and step
  /// An evaluation that fails is counted and said on stderr, and training goes on; or it throws,
  /// what the network's own functions throw as they threw it.
  bool throw_errors = false;
  /// This training goes on with the one of its name that results holds scores of, which is refused
  /// otherwise. Scores that are there of the same weights are not made again.
  bool resume = false;
};

/// Scores a network on benchmarks every so many steps of its training. Stimuli, recordings, folds
/// and ceilings are made once. Torch's number of threads, grad mode and generators are as before
/// afterwards, also where an evaluation fails.
class Probe {
 public:
  /// @throws Error  no such benchmark, an option that cannot be right, or scores in results of
  ///                another training of that name
  explicit Probe(ProbeOptions options);
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  /// Call it after each step of the optimizer, with how many there were, and at 0 for a score
  /// before training.
  /// @return where it is time, one record a benchmark as canonical JSON (docs/formats.md), durable
  ///         in the store; else nothing
  std::optional<std::vector<std::string>> step(int64_t step, const TrainedNetwork& network);

  /// Evaluations, or benchmarks in them, that failed.
  int64_t failures() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cortiscore
