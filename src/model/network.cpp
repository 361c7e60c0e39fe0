#include "src/model/network.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

#include "cortiscore/error.h"
#include "src/data/arrays.h"
#include "src/data/safetensors.h"
#include "src/model/archive.h"
#include "src/model/batch.h"
#include "src/model/class_tokens.h"
#include "src/model/graph.h"
#include "src/model/program.h"
#include "src/model/weights_differ.h"

namespace cortiscore {

using graph::Json;

// What a graph file says, for any number of weight files.
struct Network::Graph {
  std::string sha256;
  NetworkInput input;
  std::vector<Layer> layers;
  graph::Names names;
  std::vector<graph::Node> nodes;
  std::vector<int64_t> made_by;  // a value's node, -1 for inputs
  std::vector<int64_t> bytes;    // a value's, for one stimulus
  size_t input_number = 0;
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
  std::shared_ptr<const Graph> graph;
  graph::Values constants;  // weights, buffers and lifted constants, at their numbers
  int64_t n_parameters = 0;
  at::Device device = at::kCPU;
  ForwardPrecision precision = ForwardPrecision::kFloat32;
  bool cuda_graphs = false;
  std::shared_ptr<const Program>
      program;  // of TorchScript and native code; the graph then has layers, but no nodes
};

namespace {

const std::vector<std::pair<std::string, ForwardPrecision>> kPrecisions = {
    {"float32", ForwardPrecision::kFloat32},
    {"tf32", ForwardPrecision::kTf32},
    {"bf16", ForwardPrecision::kBf16},
    {"fp16", ForwardPrecision::kFp16}};

// While it lives, operators of this thread run as under torch.autocast, or as without it.
class Autocast {
 public:
  Autocast(const at::Device& device, ForwardPrecision precision)
      : type_(device.type()),
        enabled_(at::autocast::is_autocast_enabled(type_)),
        dtype_(at::autocast::get_autocast_dtype(type_)),
        cache_(at::autocast::is_autocast_cache_enabled()) {
    const bool half = precision == ForwardPrecision::kFp16;
    at::autocast::set_autocast_enabled(type_, half || precision == ForwardPrecision::kBf16);
    at::autocast::set_autocast_dtype(type_, half ? at::kHalf : at::kBFloat16);
    at::autocast::set_autocast_cache_enabled(true);
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

std::vector<TimeBin> read_time_bins(const Json& layer, const std::string& where) {
  std::vector<TimeBin> bins;
  for (const auto& bin : layer.value("time_bins_ms", Json::array()))
    bins.push_back({bin.at(0).get<double>(), bin.at(1).get<double>()});
  for (size_t k = 0; k < bins.size(); ++k) {
    if (bins[k].end_ms <= bins[k].start_ms || (k && bins[k].start_ms < bins[k - 1].end_ms)) {
      throw bad_input({where, "layer " + layer.at("name").get<std::string>() + ", time_bins_ms",
                       window_text(bins[k]), "bins in order that do not overlap", "Export again"});
    }
  }
  return bins;
}

}  // namespace

namespace {

// Of a tensor on the CPU.
std::string sha256_of_values(const at::Tensor& tensor) {
  const auto dense = tensor.contiguous();
  return sha256_of({static_cast<const char*>(dense.const_data_ptr()),
                    static_cast<size_t>(dense.numel() * dense.element_size())});
}

// SHA-256 over names and bytes, in the order of the graph's signature.
class WeightsDigest {
 public:
  void add(const std::string& name, const std::string& sha256) {
    digests_ += name + " " + sha256 + "\n";
  }
  std::string sha256() const { return sha256_of(digests_); }

 private:
  std::string digests_;
};

at::Tensor on_device(at::Tensor tensor, bool parameter, const at::Device& device) {
  tensor = tensor.to(device);
  // at::matmul folds its batch otherwise when the weight requires grad, as parameters in Python do: without this
  // transformers differ from PyTorch in the last bit.
  if (parameter && tensor.is_floating_point()) tensor.requires_grad_(true);
  return tensor;
}

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

void read_description(const std::string& text, const std::string& where, Program& program) {
  if (text.empty()) return;
  try {
    const auto json = Json::parse(text);
    program.identifier = json.value("identifier", program.identifier);
    program.input.size = json.value("input_size", program.input.size);
    program.input.mean = doubles(json, "mean");
    program.input.std = doubles(json, "std");
    program.input.degrees = json.value("degrees", program.input.degrees);
  } catch (const Json::exception& e) {
    throw bad_input({where, "cortiscore.json", e.what(),
                     "input_size, mean, std, degrees, identifier",
                     "docs/formats.md says what they are"});
  }
}

namespace {

constexpr int64_t kMostBatch = 1024;
constexpr int64_t kMostPixels = 16384;

// What an archive says of its images.
void check_input(const NetworkInput& input, const std::string& where) {
  const auto refuse = [&](const char* field, const std::string& found,
                          const std::string& expected) {
    throw bad_input(
        {where, field, found, expected, "Write it again with `cortiscore model export`"});
  };
  if (input.size < 1 || input.size > kMostPixels) {
    refuse("input_size", std::to_string(input.size), "1 to " + std::to_string(kMostPixels));
  }
  for (const auto* values : {&input.mean, &input.std}) {
    if (values->size() != input.mean.size() || (!values->empty() && values->size() != 3))
      refuse("mean and std", std::to_string(values->size()) + " numbers", "three, one a channel");
  }
  for (const auto value : input.std) {
    if (!(value > 0)) refuse("std", std::to_string(value), "positive numbers");
  }
  if (!(input.degrees > 0 && input.degrees < 1e6))
    refuse("degrees", std::to_string(input.degrees), "a visual angle");
}

// A layer is a tensor, and has its name alone.
void check_layers(const std::vector<Layer>& layers,
                  const graph::Names& names,
                  const std::string& where) {
  std::set<std::string> seen;
  for (const auto& layer : layers) {
    if (!seen.insert(layer.name).second) {
      throw bad_input({where, "layer " + layer.name, "it twice", "each name once",
                       "Write it again with `cortiscore model export`"});
    }
    if (names.kind(names.known(layer.value)) != graph::Names::Kind::kTensor) {
      throw bad_input({where, "layer " + layer.name, "an integer", "a tensor",
                       "Write it again with `cortiscore model export`"});
    }
  }
}

// Its class tokens: weights by their names, and where the graph puts them.
template <typename Graph>
ClassTokens class_tokens_of(const Graph& graph, const graph::Shapes& shapes) {
  std::vector<size_t> tokens;
  for (const auto& slot : graph.slots) {
    if (is_class_token(slot.name)) tokens.push_back(slot.number);
  }
  return {graph.nodes, tokens, graph.names.size(), [&](size_t value, int64_t axis) {
            const auto& sizes = shapes.sizes.at(value);
            return sizes.at(
                static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(sizes.size()) : axis));
          }};
}

}  // namespace

Network Network::load_program(const std::string& path,
                              bool native,
                              const at::Device& device,
                              const LoadOptions& options) {
  if (native ? !options.allow_native_code : !options.allow_torchscript) {
    throw Error(ErrorKind::kUsage,
                path + ": found " +
                    (native ? "native code" : "TorchScript, which runs code of its own") +
                    ", expected a torch.export archive. Where you trust its source, add " +
                    (native ? "--allow-native-code" : "--allow-torchscript") +
                    "; `cortiscore model export` writes networks as data.");
  }
  if (native && options.precision != ForwardPrecision::kFloat32) {
    throw Error(ErrorKind::kUsage, path + ": found --precision " + name_of(options.precision) +
                                       " with native code, whose precision is what it was compiled "
                                       "with. Leave --precision away.");
  }
  auto state = std::make_shared<State>();
  auto graph_part = std::make_shared<Graph>();
  state->path = path;
  state->device = device;
  state->precision = options.precision;
  {
    const Autocast autocast(device, options.precision);
    state->program = native ? load_native(path, device) : load_torchscript(path, device);
  }
  state->identifier = state->program->identifier;
  state->n_parameters = state->program->n_parameters;
  state->weights_sha256 = graph_part->sha256 = sha256_of_file(path);
  graph_part->input = state->program->input;
  graph_part->layers = state->program->layers;
  // In the order of its layers, for want of nodes.
  for (size_t i = 0; i < graph_part->layers.size(); ++i) {
    const auto& value = graph_part->layers[i].value;
    graph_part->names.add(value);  // several layers may share one
    const auto number = graph_part->names.known(value);
    graph_part->made_by.resize(graph_part->names.size());
    graph_part->made_by[number] = static_cast<int64_t>(i);
  }
  state->graph = std::move(graph_part);
  Network network;
  network.state_ = std::move(state);
  return network;
}

Network Network::load(const std::string& path,
                      const at::Device& device,
                      const LoadOptions& options) {
  if (options.precision == ForwardPrecision::kTf32 && !device.is_cuda()) {
    throw Error(ErrorKind::kUsage,
                "--precision tf32: found --device cpu, expected a CUDA device: TF32 is an "
                "arithmetic of NVIDIA's. Use float32, bf16 or fp16.");
  }
  if (options.cuda_graphs && !device.is_cuda()) {
    throw Error(ErrorKind::kUsage,
                "--cuda-graphs: found --device cpu, expected a CUDA device. Leave it away.");
  }
  const Archive archive(path);
  const auto format = format_of(archive);
  if (format != Format::kExported && options.cuda_graphs) {
    throw Error(ErrorKind::kUsage, path +
                                       ": found --cuda-graphs with TorchScript or native code, "
                                       "which launches as it sees fit; expected a torch.export "
                                       "archive. Leave --cuda-graphs away.");
  }
  if (format != Format::kExported) {
    archive.check();  // torch reads it by itself
    return load_program(path, format == Format::kNative, device, options);
  }
  if (path.ends_with(".pt")) {
    throw bad_input(
        {path, "", "no TorchScript", "what torch.jit.save writes (.pt), or a .pt2",
         "Of a state dict, `cortiscore model convert` makes weights for sweep --graph"});
  }
  auto state = std::make_shared<State>();
  auto graph_part = std::make_shared<Graph>();
  auto& g = *graph_part;
  std::vector<size_t> open;  // layers whose batch is seen in a run alone
  state->path = path;
  state->device = device;
  state->precision = options.precision;
  state->cuda_graphs = options.cuda_graphs;
  state->identifier = std::filesystem::path(path).stem().string();
  const auto model_text = archive.document("models/model.json");
  g.sha256 = sha256_of(model_text);
  try {
    const auto model = archive.parsed(model_text, "models/model.json");
    const auto major = model.at("schema_version").at("major").get<int64_t>();
    if (major != 8) {
      throw bad_input({path, "schema_version", std::to_string(major), "8 (torch 2.11)",
                       "Export again with torch 2.11"});
    }
    const auto& graph = model.at("graph_module").at("graph");
    const auto weights = weights_config(archive);
    const auto constants =
        archive.has("data/constants/model_constants_config.json")
            ? archive.json("data/constants/model_constants_config.json").at("config")
            : Json::object();
    WeightsDigest digest;
    const auto new_value = [&](const std::string& name) {
      const auto number = g.names.add(name);
      if (!number) {
        throw bad_input({path, "inputs", "\"" + name + "\" twice", "each name once",
                         "Write it again with `cortiscore model export` (torch 2.11)"});
      }
      return *number;
    };
    const auto add = [&](const Json& argument, const std::string& name, bool parameter) {
      const bool lifted = !weights.contains(name);
      const auto tensor = read_tensor(archive, (lifted ? constants : weights).at(name),
                                      lifted ? "data/constants/" : "data/weights/", path);
      auto sha256 = sha256_of_values(tensor);
      digest.add(name, sha256);
      if (parameter) state->n_parameters += tensor.numel();
      const auto number = new_value(argument.at("name").get<std::string>());
      if (state->constants.size() <= number) state->constants.resize(number + 1);
      state->constants[number] = on_device(tensor, parameter, device);
      g.slots.push_back({name, number, parameter, !lifted, std::move(sha256)});
    };
    std::string input_name;
    for (const auto& spec : model.at("graph_module").at("signature").at("input_specs")) {
      const auto [kind, member] = graph::tagged(spec, path, "input_specs");
      const auto& value = *member;
      if (kind == "parameter")
        add(value.at("arg"), value.at("parameter_name"), true);
      else if (kind == "buffer")
        add(value.at("arg"), value.at("buffer_name"), false);
      else if (kind == "tensor_constant")
        add(value.at("arg"), value.at("tensor_constant_name"), false);
      else if (kind == "user_input" && input_name.empty() &&
               value.at("arg").contains("as_tensor")) {
        input_name = value.at("arg").at("as_tensor").at("name").get<std::string>();
        g.input_number = new_value(input_name);
      } else {
        throw bad_input({path, "input", kind, "one image tensor",
                         "Export a network whose forward takes images alone"});
      }
    }
    if (input_name.empty()) {
      throw bad_input({path, "input", "none", "one image tensor",
                       "Export a network whose forward takes images"});
    }
    // Of tied weights the signature has one, the table of weights all.
    const auto place = [](const Json& entry) {
      const auto& meta = entry.at("tensor_meta");
      return entry.at("path_name").dump() + meta.at("storage_offset").dump() +
             meta.at("sizes").dump() + meta.at("strides").dump();
    };
    std::map<std::string, std::string> slot_at;
    for (const auto& slot : g.slots) {
      if (slot.swapped) slot_at.emplace(place(weights.at(slot.name)), slot.name);
    }
    for (const auto& [name, entry] : weights.items()) {
      const auto slot = slot_at.find(place(entry));
      if (slot != slot_at.end() && slot->second != name) g.twins.emplace(name, slot->second);
    }
    state->weights_sha256 = digest.sha256();
    if (graph.at("nodes").size() > kMostNodes) {
      throw bad_input({path, "models/model.json",
                       std::to_string(graph.at("nodes").size()) + " nodes",
                       "at most " + std::to_string(kMostNodes), "Export a smaller network"});
    }
    for (const auto& node : graph.at("nodes"))
      g.nodes.push_back(graph::read_node(node, g.names, device, path));
    state->constants.resize(g.names.size());
    g.made_by.assign(g.names.size(), -1);
    for (size_t n = 0; n < g.nodes.size(); ++n) {
      for (const auto& numbers : g.nodes[n].outputs) {
        for (const auto number : numbers) {
          if (number >= 0) g.made_by[static_cast<size_t>(number)] = static_cast<int64_t>(n);
        }
      }
    }
    const auto& tensor_values = graph.at("tensor_values");
    const bool table = archive.has("extra/cortiscore.json");
    if (table) {
      const auto extra = archive.json("extra/cortiscore.json");
      state->identifier = extra.value("identifier", state->identifier);
      g.input.size = extra.at("input_size").get<int64_t>();
      g.input.mean = doubles(extra, "mean");
      g.input.std = doubles(extra, "std");
      g.input.degrees = extra.value("degrees", 8.0);
      g.prefix = extra.value("parameter_prefix", "");
      for (const auto& layer : extra.at("layers")) {
        g.layers.push_back({layer.at("name"),
                            layer.value("type", ""),
                            layer.at("value"),
                            {},
                            read_time_bins(layer, path)});
      }
    } else {
      g.layers = layers_from_stacks(graph.at("nodes"));
      const auto shape = sizes_of(tensor_values, input_name);
      if (!shape.empty()) g.input.size = shape.back();
    }
    check_input(g.input, path);
    std::erase_if(g.layers, [&](const Layer& layer) { return !g.names.has(layer.value); });
    check_layers(g.layers, g.names, path);
    // The batch that it was traced with: what an export left open may have one size alone.
    const auto traced = sizes_of(tensor_values, input_name);
    g.traced_batch = traced.empty() ? 0 : traced[0];
    if (g.traced_batch < 1 || g.traced_batch > kMostBatch) {
      throw bad_input({path, "batch that it was traced with", std::to_string(g.traced_batch),
                       "1 to " + std::to_string(kMostBatch),
                       "Write it again with `cortiscore model export` (torch 2.11)"});
    }
    const auto& images = tensor_values.at(input_name);
    g.batch_sizes = read_batch_sizes(model, images, path);
    const auto shapes = graph::shapes_of(g.nodes, state->constants, g.names.size(), g.input_number,
                                         {g.traced_batch, 3, g.input.size, g.input.size}, path);
    g.checked.insert(g.traced_batch);
    for (size_t i = 0; i < g.layers.size(); ++i) {
      auto& layer = g.layers[i];
      const auto number = g.names.known(layer.value);
      const auto& sizes = shapes.sizes[number];
      // Of what the file says of a layer, only which sizes follow the batch is taken from it.
      if (!tensor_values.contains(layer.value) || sizes_of(tensor_values, layer.value) != sizes) {
        throw bad_input({path, "tensor_values of layer " + layer.name, "another shape",
                         shape_text(sizes) + ", as its operators make",
                         "Write it again with `cortiscore model export` (torch 2.11)"});
      }
      if (place_batch(tensor_values.at(layer.value), shapes.types[number], images, layer))
        open.push_back(i);
    }
    g.class_tokens = class_tokens_of(g, shapes);
    g.writes_input = shapes.writes_input;
    g.traced_bytes = shapes.bytes;
    g.bytes.resize(g.names.size());
    for (size_t i = 0; i < g.bytes.size(); ++i) g.bytes[i] = shapes.bytes[i] / g.traced_batch;
  } catch (const Json::exception& e) {
    throw bad_input({path, "models/model.json", e.what(), "a torch.export archive of schema 8",
                     "Write it again with `cortiscore model export` (torch 2.11)"});
  } catch (const std::out_of_range&) {
    throw bad_input({path, "models/model.json", "a value or an axis that is not there",
                     "a whole graph",
                     "Write it again with `cortiscore model export` (torch 2.11)"});
  }
  state->graph = graph_part;
  Network network;
  network.state_ = std::move(state);
  found_by_running(network, open, g.layers);
  return network;
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
      throw bad_input({path, "data/weights", e.what(), "the weights of a torch.export archive",
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
        // In the strides of the graph's own weights, as torch's load_state_dict leaves them: kernels are chosen by them.
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

std::string Network::signature(const std::string& path) {
  const Archive archive(path);
  if (format_of(archive) != Format::kExported) return {};
  auto text = sha256_of(archive.text("models/model.json"));
  if (archive.has("extra/cortiscore.json")) {
    auto extra = archive.json("extra/cortiscore.json");
    extra.erase("identifier");
    text += extra.dump();
  }
  if (archive.has("data/constants/model_constants_config.json")) {
    const auto constants = archive.json("data/constants/model_constants_config.json");
    text += constants.dump();
    try {
      for (const auto& [name, entry] : constants.at("config").items())
        text +=
            sha256_of(archive.text("data/constants/" + entry.at("path_name").get<std::string>()));
    } catch (const Json::exception& e) {
      throw bad_input({path, "data/constants", e.what(), "a torch.export archive of schema 8",
                       "Write it again with `cortiscore model export` (torch 2.11)"});
    }
  }
  return sha256_of(text);
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
int64_t Network::n_nodes() const {
  return static_cast<int64_t>(state_->graph->nodes.size());
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
  return sha256_of(text);
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

// Source of the weights: BENCHMARKS.md section 3, 'portion': a bin counts by the portion of it that the window covers.
Network::Parts Network::parts_of(const std::string& name) const {
  const auto& names = state_->graph->names;
  const auto read = read_layer_name(name);
  if (!read.windowed) return {{names.known(layer(name).value), 1.0}};
  const auto base = layer(read.base);
  const auto& [start, end] = read.window;
  Parts parts;
  double covered = 0, total = 0;
  for (size_t k = 0; k < base.time_bins.size(); ++k) {
    const auto& bin = base.time_bins[k];
    const double overlap = std::min(end, bin.end_ms) - std::max(start, bin.start_ms);
    if (overlap <= 0) continue;
    const auto step =
        base.time_bins.size() == 1 ? base : layer(base.name + "@" + std::to_string(k));
    const double portion = overlap / (bin.end_ms - bin.start_ms);
    parts.emplace_back(names.known(step.value), portion);
    covered += overlap;
    total += portion;
  }
  if (parts.empty() || covered < (end - start) * (1 - 1e-9)) {
    std::string bins;
    for (const auto& bin : base.time_bins)
      bins += (bins.empty() ? "time bins " : ", ") + window_text(bin);
    throw bad_input(
        {state_->path, "layer " + base.name, bins.empty() ? "no time bins" : bins,
         "bins that cover " + window_text(read.window) + " ms",
         "Name a single call (" + base.name + "@0), or export with other time_bins_ms"});
  }
  for (auto& [value, weight] : parts) weight /= total;
  return parts;
}

int64_t Network::ends_at(const std::string& name) const {
  int64_t last = -1;
  for (const auto& [value, weight] : parts_of(name))
    last = std::max(last, state_->graph->made_by[value]);
  return last;
}

void Network::clear_cast_weights() {
  at::autocast::clear_cache();
}

std::vector<int64_t> Network::last_uses(int64_t last_node) const {
  const auto& s = *state_->graph;
  std::vector<int64_t> last_use(s.names.size(), -1);
  for (int64_t n = 0; n <= last_node; ++n) {
    for (const auto& argument : s.nodes[static_cast<size_t>(n)].arguments) {
      for (const auto value : argument.values) {
        if (value >= 0) last_use[static_cast<size_t>(value)] = n;
      }
    }
  }
  return last_use;
}

int64_t Network::working_bytes(int64_t n, const std::vector<std::string>& layers) const {
  const int64_t input = n * 3 * this->input().size * this->input().size * int64_t{sizeof(float)};
  if (state_->program) {
    int64_t largest = 0;
    for (const auto& name : layers) largest = std::max(largest, layer(name).n_features());
    return input + 3 * n * largest * int64_t{sizeof(float)};
  }
  const auto& s = *state_->graph;
  int64_t last_node = -1;
  for (const auto& name : layers) last_node = std::max(last_node, ends_at(name));
  const auto last_use = last_uses(last_node);
  int64_t live = 0, most = 0;
  std::vector<bool> gone(s.names.size());
  const auto drop = [&](int64_t value) {
    if (value < 0 || gone[static_cast<size_t>(value)]) return;
    gone[static_cast<size_t>(value)] = true;
    live -= s.bytes[static_cast<size_t>(value)];
  };
  for (int64_t node = 0; node <= last_node; ++node) {
    const auto& of_node = s.nodes[static_cast<size_t>(node)];
    for (const auto& numbers : of_node.outputs) {
      for (const auto value : numbers) {
        if (value >= 0) live += s.bytes[static_cast<size_t>(value)];
      }
    }
    most = std::max(most, live);
    for (const auto& argument : of_node.arguments) {
      for (const auto value : argument.values) {
        if (value >= 0 && last_use[static_cast<size_t>(value)] == node &&
            s.made_by[static_cast<size_t>(value)] >= 0)
          drop(value);
      }
    }
    for (const auto& numbers : of_node.outputs) {
      for (const auto value : numbers) {
        if (value >= 0 && last_use[static_cast<size_t>(value)] < 0) drop(value);
      }
    }
  }
  int64_t held = 0;  // a file may say what it likes of its batch
  if (__builtin_mul_overflow(n, most, &held) || __builtin_add_overflow(held, input, &held))
    return std::numeric_limits<int64_t>::max();
  return held;
}

void Network::Graph::check_batch(int64_t n,
                                 const graph::Values& constants,
                                 const std::string& where) const {
  {
    const std::lock_guard lock(checking);
    if (checked.contains(n)) return;
  }
  const auto shapes = graph::shapes_of(nodes, constants, names.size(), input_number,
                                       {n, 3, input.size, input.size}, where);
  const auto growth =
      static_cast<double>(std::max<int64_t>(n, traced_batch)) / static_cast<double>(traced_batch);
  for (const auto& node : nodes) {
    for (const auto& numbers : node.outputs) {
      for (const auto number : numbers) {
        if (number < 0) continue;
        const auto i = static_cast<size_t>(number);
        if (static_cast<double>(shapes.bytes[i]) > growth * static_cast<double>(traced_bytes[i])) {
          throw graph::not_run(node,
                               c10::str("the shape ", shapes.sizes[i], " in a batch of ", n,
                                        ", more than as many times that of one of ", traced_batch),
                               where);
        }
      }
    }
  }
  const std::lock_guard lock(checking);
  checked.insert(n);
}

void Network::run(const at::Tensor& batch,
                  const std::vector<std::string>& layers,
                  const Tap& tap) const {
  const Autocast autocast(state_->device, state_->precision);
  if (state_->program) {
    state_->program->run(batch, layers, tap);
    return;
  }
  const auto& s = *state_->graph;
  // What is tapped when a node has run, and where the graph can be cut. Place 0 is the input's, n + 1 node n's.
  struct Part {
    size_t layer, value;
    double weight;
  };
  std::vector<std::vector<Part>> ends(s.nodes.size() + 1);
  std::vector<size_t> missing(layers.size());
  std::vector<at::Tensor> sums(layers.size());
  int64_t last_node = -1;
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto parts = parts_of(layers[i]);
    missing[i] = parts.size();
    for (const auto& [value, weight] : parts) {
      const auto node = s.made_by[value];
      ends[static_cast<size_t>(node + 1)].push_back({i, value, weight});
      last_node = std::max(last_node, node);
    }
  }
  const auto last_use = last_uses(last_node);
  s.check_batch(batch.size(0), state_->constants, state_->path);
  auto values = state_->constants;
  values[s.input_number] = s.writes_input ? batch.clone() : batch;
  const auto tap_after = [&](int64_t node) {
    for (const auto& [i, value, weight] : ends[static_cast<size_t>(node + 1)]) {
      const auto output = values[value].toTensor();
      if (weight == 1) {
        tap(i, output);
        continue;
      }
      auto& sum = sums[i];
      sum = sum.defined() ? sum.add_(output, weight) : output.to(at::kFloat) * weight;
      if (--missing[i] == 0) tap(i, std::exchange(sum, {}));
    }
  };
  const auto refuse = [&](const graph::Node& node, const std::string& words) {
    // A device's errors, and too little memory, are not the graph's.
    if (state_->device.is_cpu() && words.find("allocate memory") == std::string::npos)
      throw graph::not_run(node, words, state_->path);
  };
  tap_after(-1);
  for (int64_t n = 0; n <= last_node; ++n) {
    const auto& node = s.nodes[static_cast<size_t>(n)];
    try {
      graph::call(node, values);
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const c10::Error& e) {
      refuse(node, e.what_without_backtrace());
      throw;
    }
    tap_after(n);
    for (const auto& argument : node.arguments) {
      for (const auto value : argument.values) {
        if (value >= 0 && last_use[static_cast<size_t>(value)] == n)
          values[static_cast<size_t>(value)] = {};
      }
    }
    for (const auto& numbers : node.outputs) {
      for (const auto value : numbers) {
        if (value >= 0 && last_use[static_cast<size_t>(value)] < 0)
          values[static_cast<size_t>(value)] = {};
      }
    }
  }
}

}  // namespace cortiscore
