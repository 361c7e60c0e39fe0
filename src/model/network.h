#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// A module of the network whose output can be tapped.
struct Layer {
  std::string name;            ///< dotted module path, as in Python's named_modules()
  std::string type;            ///< the module's class; may be empty
  std::string value;           ///< the graph value that is its output
  std::vector<int64_t> shape;  ///< without the batch axis
  int64_t n_features() const;
};

/// What the archive says about the network's input.
struct NetworkInput {
  int64_t size = 224;        ///< N of N x N
  std::vector<double> mean;  ///< empty: the network normalises itself
  std::vector<double> std;
  double degrees = 8;  ///< visual angle that its input spans
};

/// A network from a torch.export archive (.pt2): a graph as JSON plus raw weights; no pickle, no code.
///
/// Nodes run through LibTorch's dispatcher in the order of the file, so outputs equal PyTorch's own to the bit, given
/// the same batch shape and one intra-operator thread. Only operators of `aten` that touch tensors alone are allowed.
class Network {
 public:
  /// @throws Error(kBadInput)  not a .pt2, truncated, another schema, pickled weights, or an operator not allowed
  static Network load(const std::string& path, const at::Device& device = at::kCPU);

  /// The same graph with other weights: a copy, not a load. Names are the archive's or those of the module that was
  /// exported; every weight must be there, in its shape. The identifier is the file's stem.
  /// @param path  .safetensors (a state dict), or another .pt2 of the same architecture
  /// @throws Error(kBadInput)  naming what is missing, too much, or of another shape
  Network with_weights(const std::string& path) const;

  /// SHA-256 of all of an archive but its weights and identifier: archives that agree are one network with_weights.
  static std::string signature(const std::string& path);

  /// Where its weights are and its batches must be.
  const at::Device& device() const;
  const std::string& path() const;
  const std::string& identifier() const;
  const std::vector<Layer>& layers() const;
  const NetworkInput& input() const;
  int64_t n_parameters() const;
  int64_t n_nodes() const;
  const std::string& graph_sha256() const;
  const std::string& weights_sha256() const;
  /// SHA-256 of all that its activations on an image depend on: graph, weights, layer table and preprocessing.
  std::string fingerprint() const;

  /// @throws Error(kUnknownName)  no such layer; the nearest names are offered
  const Layer& layer(const std::string& name) const;

  /// Called with (index into the layers asked for, output [batch, ...]) as soon as that layer has run; the tensor is
  /// only valid during the call, since in-place operators may overwrite it next.
  using Tap = std::function<void(size_t, const at::Tensor&)>;

  /// Runs `batch` [n, 3, N, N] float32, on its device, as far as the last of `layers`, freeing values at their last use. Any number of
  /// threads may run at once.
  void run(const at::Tensor& batch, const std::vector<std::string>& layers, const Tap& tap) const;

 private:
  struct Graph;
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace cortiscore
