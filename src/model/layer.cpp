#include "src/model/layer.h"

#include <charconv>
#include <cstdio>

#include <ATen/ATen.h>

namespace cortiscore {
namespace {

// "NAME@START-END"; whether there is such a window.
bool split_window(std::string& name, TimeBin& window) {
  const auto at_sign = name.rfind('@');
  const auto dash = name.rfind('-');
  if (at_sign == std::string::npos || dash == std::string::npos || dash < at_sign + 2) return false;
  const auto number = [&](size_t begin, size_t end, double& value) {
    const auto* const first = name.data() + begin;
    const auto [stop, error] = std::from_chars(first, name.data() + end, value);
    return error == std::errc() && stop == name.data() + end && end > begin;
  };
  if (!number(at_sign + 1, dash, window.start_ms) || !number(dash + 1, name.size(), window.end_ms))
    return false;
  name.resize(at_sign);
  return true;
}

std::string with_pooling(const std::string& name, const std::string& pooling) {
  return pooling.empty() ? name : name + ":" + pooling;
}

}  // namespace

int64_t Layer::n_features() const {
  int64_t n = 1;
  for (const auto size : shape) n *= size;
  return n;
}

at::Tensor Layer::rows(const at::Tensor& output, int64_t n) const {
  auto x = output;
  if (batch_axis < 0) {
    if (n != 1) return {};
    x = x.unsqueeze(0);
  } else {
    if (x.dim() <= batch_axis || x.dim() < 2 || x.size(batch_axis) != n * windows) return {};
    if (batch_axis > 0) x = x.movedim(batch_axis, 0);
    if (windows > 1) x = x.unflatten(0, {n, windows});
  }
  if (class_token) {
    if (x.dim() != 3) return {};
    x = x.select(1, 0);
  }
  if (!averaged.empty()) {
    if (x.dim() <= averaged.back()) return {};
    x = x.to(at::kFloat).mean(averaged);
  }
  if (x.numel() != n * n_features()) return {};
  return x.reshape({n, -1});
}

LayerName read_layer_name(const std::string& name) {
  LayerName read;
  read.base = name;
  for (const auto* pooling : {"cls", "mean"}) {
    const auto suffix = std::string(":") + pooling;
    if (!name.ends_with(suffix)) continue;
    read.pooling = pooling;
    read.base.resize(name.size() - suffix.size());
  }
  read.windowed = split_window(read.base, read.window);
  return read;
}

std::string window_text(const TimeBin& window) {
  char text[64];
  std::snprintf(text, sizeof text, "%g-%g", window.start_ms, window.end_ms);
  return text;
}

std::string layer_in_window(const std::string& layer, const TimeBin& window) {
  const auto name = read_layer_name(layer);
  return with_pooling(name.base + "@" + window_text(window), name.pooling);
}

std::string without_window(const std::string& layer) {
  const auto name = read_layer_name(layer);
  return name.windowed ? with_pooling(name.base, name.pooling) : layer;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (const auto size : shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

std::vector<int64_t> averaged_axes(const Layer& layer) {
  // Axis 0 of what is averaged is the stimulus, then come windows.
  const int64_t before = layer.windows > 1 ? 1 : 0;
  std::vector<int64_t> own(layer.shape.begin() + before, layer.shape.end());
  std::vector<int64_t> axes;
  if (before) axes.push_back(1);
  const auto add = [&](int64_t axis) { axes.push_back(before + axis + 1); };
  if (own.size() == 2) {
    add(0);
  } else if (own.size() == 3 && own[1] == own[2] && own[0] != own[1]) {
    add(1);
    add(2);
  } else if (own.size() == 3 && own[0] == own[1] && own[1] != own[2]) {
    add(0);
    add(1);
  } else {
    return {};
  }
  return axes;
}

}  // namespace cortiscore
