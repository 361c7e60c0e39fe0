#include "src/model/network.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/data/arrays.h"
#include "src/model/network_state.h"

namespace cortiscore {

using graph::Json;

namespace {

const std::vector<std::pair<std::string, ForwardPrecision>> kPrecisions = {
    {"float32", ForwardPrecision::kFloat32},
    {"tf32", ForwardPrecision::kTf32},
    {"bf16", ForwardPrecision::kBf16},
    {"fp16", ForwardPrecision::kFp16}};

}  // namespace

std::string name_of(ForwardPrecision precision) {
  for (const auto& [name, value] : kPrecisions) {
    if (value == precision) return name;
  }
  return {};
}

ForwardPrecision forward_precision(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [own, value] : kPrecisions) {
    if (own == name) return value;
    known.push_back(own);
  }
  throw unknown_name("precision", name, "--precision", known);
}

const at::Device& Network::device() const {
  return state_->device;
}
const std::string& Network::path() const {
  return state_->path;
}
const std::string& Network::identifier() const {
  return state_->identifier;
}
const std::vector<Layer>& Network::layers() const {
  return state_->graph->layers;
}
const NetworkInput& Network::input() const {
  return state_->graph->input;
}
int64_t Network::n_parameters() const {
  return state_->n_parameters;
}
std::optional<int64_t> Network::depth() const {
  if (state_->program) return std::nullopt;
  return state_->graph->depth;
}
int64_t Network::n_nodes() const {
  return static_cast<int64_t>(state_->graph->nodes.size());
}
const std::vector<std::string>& Network::node_groups() const {
  return state_->graph->groups;
}
const std::string& Network::graph_sha256() const {
  return state_->graph->sha256;
}
const std::string& Network::weights_sha256() const {
  return state_->weights_sha256;
}

const BatchSizes& Network::batch_sizes() const {
  return state_->graph->batch_sizes;
}
int64_t Network::micro_batch() const {
  return batch_near(kMicroBatch, batch_sizes());
}

ForwardPrecision Network::precision() const {
  return state_->precision;
}
bool Network::beside_training() const {
  return state_->program && state_->program->beside_training;
}

bool Network::keeps_cast_weights() const {
  const bool half =
      precision() == ForwardPrecision::kBf16 || precision() == ForwardPrecision::kFp16;
  return half && !(state_->program && state_->program->in_user_process);
}

bool Network::cuda_graphs() const {
  return state_->cuda_graphs;
}

std::string Network::fingerprint() const {
  const auto& s = *state_->graph;
  std::string text = s.sha256 + " " + state_->weights_sha256 + " " + std::to_string(s.input.size);
  text += Json({s.input.mean, s.input.std, s.input.degrees}).dump();
  for (const auto& layer : s.layers) {
    text += "\n" + layer.name + "=" + layer.value;
    for (const auto& bin : layer.time_bins) text += " " + window_text(bin);
  }
  if (state_->precision != ForwardPrecision::kFloat32) text += "\n" + name_of(state_->precision);
  return sha256_of(text + state_->seen_sha256);
}

Layer Network::layer(const std::string& name) const {
  const auto& layers = state_->graph->layers;
  const auto found =
      std::find_if(layers.begin(), layers.end(), [&](const Layer& l) { return l.name == name; });
  if (found != layers.end()) {
    if (!found->unusable.empty()) {
      throw bad_input({state_->path, "layer " + name, found->unusable,
                       "features of every stimulus, real numbers", "Choose another layer"});
    }
    return *found;
  }
  const auto read = read_layer_name(name);
  if (!read.pooling.empty()) {
    auto layer = pooled(this->layer(name.substr(0, name.rfind(':'))), read.pooling);
    layer.name = name;
    return layer;
  }
  if (read.windowed) {
    auto layer = this->layer(read.base);
    parts_of(name);  // it throws where the window is not covered
    layer.name = name;
    return layer;
  }
  std::vector<std::string> known;
  for (const auto& layer : layers) known.push_back(layer.name);
  throw unknown_name("layer", name, state_->path, known);
}

Layer Network::pooled(Layer layer, const std::string& pooling) const {
  const auto& g = *state_->graph;
  const auto refused = [&](const std::string& found, const std::string& expected) {
    return bad_input({state_->path, "layer " + layer.name + ":" + pooling, found, expected,
                      "Take " + layer.name + " whole, or name another layer"});
  };
  const auto shape = shape_text(layer.shape);
  if (pooling == "mean") {
    layer.averaged = averaged_axes(layer);
    if (layer.averaged.empty()) {
      throw refused("features " + shape, "tokens x features, channels x n x n or n x n x channels");
    }
    std::vector<int64_t> left;
    for (size_t i = 0; i < layer.shape.size(); ++i) {
      const auto axis = static_cast<int64_t>(i) + 1;
      if (std::find(layer.averaged.begin(), layer.averaged.end(), axis) == layer.averaged.end())
        left.push_back(layer.shape[i]);
    }
    layer.shape = left;
    return layer;
  }
  if (layer.shape.size() != 2 || layer.windows != 1)
    throw refused("features " + shape, "tokens x features, the first a class token");
  if (state_->program || !g.class_tokens.any()) {
    throw refused(state_->program ? "code, which does not tell tokens apart"
                                  : "no weight called cls_token, class_token or class_embedding "
                                    "that is put before others",
                  "a network with a class token");
  }
  if (!g.class_tokens.first_of(g.names.known(layer.value), layer.shape[0])) {
    throw refused("features " + shape + " without the class token in front",
                  "tokens x features, the first a class token");
  }
  layer.class_token = true;
  layer.shape = {layer.shape[1]};
  return layer;
}

// Source of the weights: BENCHMARKS.md section 3, 'portion': a bin counts by the portion of it that
// the window covers.
std::vector<std::pair<std::string, double>> Network::calls_of(const std::string& name) const {
  const auto read = read_layer_name(name);
  if (!read.windowed) return {{name, 1.0}};
  const auto base = layer(read.base);
  const auto& [start, end] = read.window;
  std::vector<std::pair<std::string, double>> calls;
  double covered = 0, total = 0;
  for (size_t k = 0; k < base.time_bins.size(); ++k) {
    const auto& bin = base.time_bins[k];
    const double overlap = std::min(end, bin.end_ms) - std::max(start, bin.start_ms);
    if (overlap <= 0) continue;
    const double portion = overlap / (bin.end_ms - bin.start_ms);
    calls.emplace_back(base.time_bins.size() == 1 ? base.name : base.name + "@" + std::to_string(k),
                       portion);
    covered += overlap;
    total += portion;
  }
  if (calls.empty() || covered < (end - start) * (1 - 1e-9)) {
    std::string bins;
    for (const auto& bin : base.time_bins)
      bins += (bins.empty() ? "time bins " : ", ") + window_text(bin);
    throw bad_input(
        {state_->path, "layer " + base.name, bins.empty() ? "no time bins" : bins,
         "bins that cover " + window_text(read.window) + " ms",
         "Name a single call (" + base.name + "@0), or export with other time_bins_ms"});
  }
  for (auto& [call, weight] : calls) weight /= total;
  return calls;
}

Network::Parts Network::parts_of(const std::string& name) const {
  Parts parts;
  for (const auto& [call, weight] : calls_of(name))
    parts.emplace_back(state_->graph->names.known(layer(call).value), weight);
  return parts;
}

int64_t Network::ends_at(const std::string& name) const {
  int64_t last = -1;
  for (const auto& [value, weight] : parts_of(name))
    last = std::max(last, state_->graph->made_by[value]);
  return last;
}

}  // namespace cortiscore
