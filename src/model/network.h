#pragma once
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/model/layer.h"

namespace cortiscore {

/// Stimuli that go through a network together, always, where its graph allows it: the last batch is
/// padded with repeats of its last stimulus, so that neither the number of stimuli, nor threads,
/// nor memory changes a bit.
constexpr int64_t kMicroBatch = 16;

/// How many stimuli a graph takes at a time: multiples of `step` from `least` to `most`.
struct BatchSizes {
  int64_t least = 1, most = std::numeric_limits<int64_t>::max(), step = 1;
  bool allow(int64_t n) const { return n >= least && n <= most && n % step == 0; }
};

/// The arithmetic of a forward pass. Activations are kept as float32 in any case, and what is done
/// with them is float64.
enum class ForwardPrecision {
  kFloat32,  ///< without TF32
  kTf32,     ///< products and convolutions in TF32; on a GPU
  kBf16,     ///< torch.autocast in bfloat16
  kFp16      ///< torch.autocast in float16
};

/// "float32", "tf32", "bf16", "fp16".
std::string name_of(ForwardPrecision precision);
/// @throws Error(kUnknownName)
ForwardPrecision forward_precision(const std::string& name);

/// How a network is opened.
struct LoadOptions {
  ForwardPrecision precision = ForwardPrecision::kFloat32;
  bool allow_torchscript = false;  ///< which runs code that the archive brings
  bool allow_native_code = false;  ///< likewise
  bool cuda_graphs = false;  ///< record the launches of a micro-batch once, and start them again
};

/// What the archive says about the network's input.
struct NetworkInput {
  int64_t size = 224;        ///< N of N x N
  std::vector<double> mean;  ///< empty: the network normalises itself
  std::vector<double> std;
  double degrees = 8;  ///< visual angle that its input spans
};

class Program;

/// What a network in memory says of itself, where an archive is a file.
struct InMemory {
  std::string name;            ///< that messages call it by, in place of a path
  std::string graph_sha256;    ///< of what is known of its modules
  std::string weights_sha256;  ///< of its state
};

/// A network from a torch.export archive (.pt2): a graph as JSON plus raw weights; no pickle, no
/// code. TorchScript, and native code of AOTInductor, are opened as well where that is allowed:
/// they run code, and their weights cannot be exchanged. A module of the process that this runs in
/// is a network too (in_memory).
///
/// Nodes run through LibTorch's dispatcher in the order of the file, so outputs equal PyTorch's own
/// to the bit, given the same batch shape and one intra-operator thread. Only operators of `aten`
/// that touch tensors alone are allowed.
class Network {
 public:
  /// @throws Error(kBadInput)  not a .pt2, truncated, another schema, pickled weights, or an
  ///                           operator not allowed
  /// @throws Error(kUsage)     TF32 or CUDA graphs on a CPU, CUDA graphs of a program, or code that
  ///                           is not allowed
  static Network load(const std::string& path,
                      const at::Device& device = at::kCPU,
                      const LoadOptions& options = {});

  /// A network whose forward pass is not ours: a module of the process that this runs in. Where
  /// stimuli are in its layers is found by two forward passes on noise.
  static Network in_memory(std::shared_ptr<const Program> program,
                           const InMemory& known,
                           const at::Device& device,
                           ForwardPrecision precision);

  /// The same layers of that module at another time. What some of them give on noise is part of its
  /// fingerprint: modules of the same names and weights may compute otherwise.
  /// @param layers  those that are looked at
  Network at_another_time(std::shared_ptr<const Program> program,
                          const std::string& identifier,
                          const std::string& weights_sha256,
                          const std::vector<std::string>& layers) const;

  /// The same graph with other weights: a copy, not a load. Names are the archive's or those of the
  /// module that was exported; every weight must be there, in its shape. The identifier is the
  /// file's stem.
  /// @param path  .safetensors (a state dict), or another .pt2 of the same architecture
  /// @throws Error(kBadInput)  naming what is missing, too much, or of another shape
  Network with_weights(const std::string& path) const;

  /// SHA-256 of all of an archive but its weights and identifier: archives that agree are one
  /// network with_weights. Empty for a program, whose weights are its own.
  static std::string signature(const std::string& path);

  /// Where its weights are and its batches must be.
  const at::Device& device() const;
  ForwardPrecision precision() const;
  bool cuda_graphs() const;
  const std::string& path() const;
  const std::string& identifier() const;
  const std::vector<Layer>& layers() const;
  const NetworkInput& input() const;
  int64_t n_parameters() const;
  int64_t n_nodes() const;
  /// The most products with weights (convolutions, linear layers) on a way from the image to any
  /// value: 18 of a ResNet-18. Unknown of a program.
  std::optional<int64_t> depth() const;
  const std::string& graph_sha256() const;
  const std::string& weights_sha256() const;
  /// SHA-256 of all that its activations on an image depend on: graph, weights, layer table,
  /// preprocessing and precision.
  std::string fingerprint() const;

  /// Whether the process's own thread trains meanwhile, so that what is set for the whole process
  /// has to stay as it is.
  bool beside_training() const;
  /// Whether autocast keeps weights that it has cast, which clear_cast_weights() frees.
  bool keeps_cast_weights() const;

  /// How many stimuli its graph takes at a time, and how many it is given: kMicroBatch, or the
  /// nearest that it takes.
  const BatchSizes& batch_sizes() const;
  int64_t micro_batch() const;

  /// A layer of the table, one in a window of time that the bins of its calls cover, or pooled
  /// (NAME:cls, NAME:mean).
  /// @throws Error(kUnknownName)  no such layer; the nearest names are offered
  /// @throws Error(kBadInput)     a window that its time bins do not cover, or of a layer that has
  ///   none; a layer that is unusable; no class token, or neither tokens nor places
  Layer layer(const std::string& name) const;

  /// The place in the graph after which a layer is there: layers in this order are in order of
  /// execution.
  int64_t ends_at(const std::string& name) const;

  /// What of the network every node of its graph works for, as parts of a pass are told apart
  /// (layer_groups.h); none of a program.
  const std::vector<std::string>& node_groups() const;

  /// Called with (index into the layers asked for, output [batch, ...]) as soon as that layer has
  /// run; the tensor is only valid during the call, since in-place operators may overwrite it next.
  using Tap = std::function<void(size_t, const at::Tensor&)>;

  /// Runs `batch` [n, 3, N, N] float32, on its device, as far as the last of `layers`, freeing
  /// values at their last use. Any number of threads may run at once. Autocast keeps the weights
  /// that it has cast until clear_cast_weights().
  void run(const at::Tensor& batch, const std::vector<std::string>& layers, const Tap& tap) const;

  /// Bytes that the values of a run of n stimuli hold at most at a time, as the archive gives their
  /// shapes, views counted as copies; of a program, whose values are not known, three times its
  /// largest layer asked for.
  int64_t working_bytes(int64_t n, const std::vector<std::string>& layers) const;

  /// Frees what autocast keeps of weights. No thread may be running.
  static void clear_cast_weights();

 private:
  struct Graph;
  struct State;
  // Graph values and weights whose sum a layer is.
  static Network load_program(const std::string& path,
                              bool native,
                              const at::Device& device,
                              const LoadOptions& options);
  static Network of_program(std::shared_ptr<const Program> program,
                            const InMemory& known,
                            const at::Device& device,
                            ForwardPrecision precision);
  void run_program(const at::Tensor& batch,
                   const std::vector<std::string>& layers,
                   const Tap& tap) const;
  // Calls of a module, and what each counts, whose sum a layer is.
  std::vector<std::pair<std::string, double>> calls_of(const std::string& name) const;
  using Parts = std::vector<std::pair<size_t, double>>;
  Parts parts_of(const std::string& name) const;
  Layer pooled(Layer layer, const std::string& pooling) const;
  // The last node that uses a value, of those up to `last_node`; -1 for none.
  std::vector<int64_t> last_uses(int64_t last_node) const;
  std::shared_ptr<const State> state_;
};

}  // namespace cortiscore
