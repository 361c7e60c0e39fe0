#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/stage.h"
#include "src/model/network_state.h"

namespace cortiscore {

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

namespace {

// Taps of layers each of which is an output, or the weighted sum of several as they come.
class SummedTaps {
 public:
  SummedTaps(size_t n_layers, const Network::Tap& tap)
      : missing_(n_layers), sums_(n_layers), tap_(tap) {}

  void expect(size_t layer, size_t n_parts) { missing_[layer] = n_parts; }

  void add(size_t layer, const at::Tensor& output, double weight) {
    if (weight == 1) {
      tap_(layer, output);
      return;
    }
    auto& sum = sums_[layer];
    sum = sum.defined() ? sum.add_(output, weight) : output.to(at::kFloat) * weight;
    if (--missing_[layer] == 0) tap_(layer, std::exchange(sum, {}));
  }

 private:
  std::vector<size_t> missing_;
  std::vector<at::Tensor> sums_;
  const Network::Tap& tap_;
};

}  // namespace

void Network::run_program(const at::Tensor& batch,
                          const std::vector<std::string>& layers,
                          const Tap& tap) const {
  // A program knows calls of its modules alone; windows of time are sums of those.
  struct Part {
    size_t layer;
    double weight;
  };
  const auto& table = state_->graph->layers;
  std::vector<std::string> names;
  std::vector<std::vector<Part>> parts;
  SummedTaps taps(layers.size(), tap);
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto calls = calls_of(layers[i]);
    taps.expect(i, calls.size());
    for (const auto& [call, weight] : calls) {
      const bool own = std::any_of(table.begin(), table.end(),
                                   [&](const Layer& layer) { return layer.name == call; });
      const auto name =
          own ? call : read_layer_name(call).base;  // of "w:mean" w, unless there is one
      const auto found = std::find(names.begin(), names.end(), name);
      const auto place = static_cast<size_t>(found - names.begin());
      if (found == names.end()) {
        names.push_back(name);
        parts.emplace_back();
      }
      parts[place].push_back({i, weight});
    }
  }
  const Stage passing(StageName::kForward);
  state_->program->run(batch, names, [&](size_t name, const at::Tensor& output) {
    for (const auto& [i, weight] : parts[name]) taps.add(i, output, weight);
  });
}

void Network::run(const at::Tensor& batch,
                  const std::vector<std::string>& layers,
                  const Tap& tap) const {
  const Autocast autocast(state_->device, state_->precision, keeps_cast_weights());
  if (state_->program) {
    run_program(batch, layers, tap);
    return;
  }
  const auto& s = *state_->graph;
  // What is tapped when a node has run, and where the graph can be cut. Place 0 is the input's, n +
  // 1 node n's.
  struct Part {
    size_t layer, value;
    double weight;
  };
  std::vector<std::vector<Part>> ends(s.nodes.size() + 1);
  SummedTaps taps(layers.size(), tap);
  int64_t last_node = -1;
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto parts = parts_of(layers[i]);
    taps.expect(i, parts.size());
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
    for (const auto& [i, value, weight] : ends[static_cast<size_t>(node + 1)])
      taps.add(i, values[value].toTensor(), weight);
  };
  const auto refuse = [&](const graph::Node& node, const std::string& words) {
    // A device's errors, and too little memory, are not the graph's.
    if (state_->device.is_cpu() && words.find("allocate memory") == std::string::npos)
      throw graph::not_run(node, words, state_->path);
  };
  tap_after(-1);
  const auto group_of = [&](int64_t n) -> const std::string& {
    return s.groups[static_cast<size_t>(n)];
  };
  Stage of_group(StageName::kForward,
                 last_node < 0 ? std::string_view() : std::string_view(group_of(0)));
  for (int64_t n = 0; n <= last_node; ++n) {
    const auto& node = s.nodes[static_cast<size_t>(n)];
    if (n > 0 && Stage::kept() && group_of(n) != group_of(n - 1)) of_group.next(group_of(n));
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
