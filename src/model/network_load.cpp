#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <utility>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/json_fault.h"
#include "src/data/arrays.h"
#include "src/model/archive.h"
#include "src/model/layer_groups.h"
#include "src/model/network_state.h"
#include "src/model/program.h"
#include "src/model/weight_depth.h"

namespace cortiscore {

using graph::Json;

namespace {

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
    throw bad_input({where, "cortiscore.json", json_fault(e),
                     "input_size, mean, std, degrees, identifier",
                     "docs/formats.md says what they are"});
  }
}

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
  std::shared_ptr<const Program> program;
  {
    const Autocast autocast(device, options.precision);
    program = native ? load_native(path, device) : load_torchscript(path, device);
  }
  const auto sha256 = sha256_of_file(path);
  return of_program(std::move(program), {path, sha256, sha256}, device, options.precision);
}

Network Network::of_program(std::shared_ptr<const Program> program,
                            const InMemory& known,
                            const at::Device& device,
                            ForwardPrecision precision) {
  auto state = std::make_shared<State>();
  auto graph_part = std::make_shared<Graph>();
  state->path = known.name;
  state->device = device;
  state->precision = precision;
  state->identifier = program->identifier;
  state->n_parameters = program->n_parameters;
  state->weights_sha256 = known.weights_sha256;
  graph_part->sha256 = known.graph_sha256;
  graph_part->input = program->input;
  graph_part->layers = program->layers;
  // In the order of its layers, for want of nodes.
  for (size_t i = 0; i < graph_part->layers.size(); ++i) {
    const auto& value = graph_part->layers[i].value;
    graph_part->names.add(value);  // several layers may share one
    const auto number = graph_part->names.known(value);
    graph_part->made_by.resize(graph_part->names.size());
    graph_part->made_by[number] = static_cast<int64_t>(i);
  }
  state->program = std::move(program);
  state->graph = std::move(graph_part);
  Network network;
  network.state_ = std::move(state);
  return network;
}

Network Network::in_memory(std::shared_ptr<const Program> program,
                           const InMemory& known,
                           const at::Device& device,
                           ForwardPrecision precision) {
  auto network = of_program(std::move(program), known, device, precision);
  check_input(network.input(), known.name);
  auto graph_part = std::make_shared<Graph>();
  graph_part->input = network.state_->graph->input;
  graph_part->names = network.state_->graph->names;
  graph_part->made_by = network.state_->graph->made_by;
  graph_part->layers = network.state_->graph->layers;
  std::vector<size_t> open;
  for (size_t i = 0; i < graph_part->layers.size(); ++i) {
    if (graph_part->layers[i].unusable.empty()) open.push_back(i);
  }
  graph_part->sha256 = known.graph_sha256;
  found_by_running(network, open, graph_part->layers);
  auto state = std::make_shared<State>(*network.state_);
  state->graph = std::move(graph_part);
  network.state_ = std::move(state);
  return network;
}

Network Network::at_another_time(std::shared_ptr<const Program> program,
                                 const std::string& identifier,
                                 const std::string& weights_sha256,
                                 const std::vector<std::string>& layers) const {
  auto state = std::make_shared<State>(*state_);
  state->program = std::move(program);
  state->path = state->identifier = identifier;
  state->weights_sha256 = weights_sha256;
  Network network;
  network.state_ = state;
  state->seen_sha256 = seen_on_noise(network, layers);
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
    g.depth = weight_depth(g.nodes, g.names.size(), g.input_number);
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
    std::vector<std::pair<std::string, int64_t>> ends;
    for (const auto& layer : g.layers)
      ends.emplace_back(layer.name, g.made_by[g.names.known(layer.value)]);
    g.groups = layer_groups(ends, static_cast<int64_t>(g.nodes.size()));
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
    throw bad_input({path, "models/model.json", json_fault(e), "a torch.export archive of schema 8",
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
      throw bad_input({path, "data/constants", json_fault(e), "a torch.export archive of schema 8",
                       "Write it again with `cortiscore model export` (torch 2.11)"});
    }
  }
  return sha256_of(text);
}

}  // namespace cortiscore
