#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>

#include "src/model/batch.h"
#include "src/model/class_tokens.h"
#include "src/model/graph.h"
#include "src/model/network.h"
#include "src/model/program.h"

namespace cortiscore {

// What a graph file says, for any number of weight files.
struct Network::Graph {
  std::string sha256;
  NetworkInput input;
  std::vector<Layer> layers;
  graph::Names names;
  std::vector<graph::Node> nodes;
  std::vector<std::string> groups;  // of a node, by layer_groups()
  std::vector<int64_t> made_by;     // a value's node, -1 for inputs
  std::vector<int64_t> bytes;       // a value's, for one stimulus
  size_t input_number = 0;
  int64_t depth = 0;  // weight_depth()
  int64_t traced_batch = 1;
  std::vector<int64_t> traced_bytes;  // a value's, of that batch
  bool writes_input = false;          // an in-place operator does
  // Batches whose shapes were found to fit, and to grow no faster than the batch does.
  mutable std::mutex checking;
  mutable std::set<int64_t> checked;

  // Once a size of batch: that its shapes fit, and take no more memory than the batch is larger.
  void check_batch(int64_t n, const graph::Values& constants, const std::string& where) const;
  // A weight, buffer or lifted constant: its name in the archive and the number of its value.
  struct Slot {
    std::string name;
    size_t number;
    bool parameter;
    bool swapped;        // a weight file replaces it; constants stay the graph's
    std::string sha256;  // of the values that the archive came with
  };
  std::vector<Slot> slots;
  std::string prefix;  // of every name, which a user's state dict does not have
  std::map<std::string, std::string> twins;  // names of weights that are a slot's tensor too: tied
  BatchSizes batch_sizes;
  ClassTokens class_tokens;
};

struct Network::State {
  std::string path, identifier, weights_sha256;
  std::string seen_sha256;  // of what a program in memory gives on noise
  std::shared_ptr<const Graph> graph;
  graph::Values constants;  // weights, buffers and lifted constants, at their numbers
  int64_t n_parameters = 0;
  at::Device device = at::kCPU;
  ForwardPrecision precision = ForwardPrecision::kFloat32;
  bool cuda_graphs = false;
  std::shared_ptr<const Program>
      program;  // of TorchScript and native code; the graph then has layers, but no nodes
};

// While it lives, operators of this thread run as under torch.autocast, or as without it.
class Autocast {
 public:
  /// @param keep  the weights that it casts, for the next pass
  Autocast(const at::Device& device, ForwardPrecision precision, bool keep = true)
      : type_(device.type()),
        enabled_(at::autocast::is_autocast_enabled(type_)),
        dtype_(at::autocast::get_autocast_dtype(type_)),
        cache_(at::autocast::is_autocast_cache_enabled()) {
    const bool half = precision == ForwardPrecision::kFp16;
    at::autocast::set_autocast_enabled(type_, half || precision == ForwardPrecision::kBf16);
    at::autocast::set_autocast_dtype(type_, half ? at::kHalf : at::kBFloat16);
    at::autocast::set_autocast_cache_enabled(keep);
  }
  ~Autocast() {
    at::autocast::set_autocast_enabled(type_, enabled_);
    at::autocast::set_autocast_dtype(type_, dtype_);
    at::autocast::set_autocast_cache_enabled(cache_);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::DeviceType type_;
  bool enabled_;
  at::ScalarType dtype_;
  bool cache_;
};

/// SHA-256 over names and bytes of weights, in the order of the graph's signature.
class WeightsDigest {
 public:
  void add(const std::string& name, const std::string& sha256) {
    digests_ += name + " " + sha256 + "\n";
  }
  std::string sha256() const;

 private:
  std::string digests_;
};

/// A weight as the graph runs it.
at::Tensor on_device(at::Tensor tensor, bool parameter, const at::Device& device);

}  // namespace cortiscore
