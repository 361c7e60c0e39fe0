#include "src/model/batch.h"

#include <algorithm>
#include <map>
#include <optional>

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include "cortiscore/error.h"
#include "src/data/arrays.h"

namespace cortiscore {
namespace {

using graph::Json;

// A size: its number (as it was traced, where the export left it open), and how it was written
// down, if it is open.
struct Size {
  int64_t number = 1;
  std::string expression;
};

std::vector<Size> sizes_in(const Json& entry) {
  std::vector<Size> sizes;
  for (const auto& size : entry.at("sizes")) {
    Size read;
    if (size.contains("as_int")) {
      read.number = size.at("as_int").get<int64_t>();
    } else if (size.contains("as_expr")) {
      const auto& open = size.at("as_expr");
      read.expression = open.at("expr_str").get<std::string>();
      if (open.contains("hint") && open["hint"].contains("as_int"))
        read.number = open["hint"]["as_int"].get<int64_t>();
    }
    sizes.push_back(read);
  }
  return sizes;
}

// "Mul(Integer(16), X)" is 16 of X, X itself 1, all else 0.
int64_t times(const std::string& expression, const std::string& x) {
  if (expression == x) return 1;
  const std::string begin = "Mul(Integer(", middle = "), ", end = ")";
  if (!expression.starts_with(begin) || !expression.ends_with(middle + x + end)) return 0;
  const auto digits = expression.substr(
      begin.size(), expression.size() - begin.size() - middle.size() - x.size() - end.size());
  if (digits.empty() || digits.size() > 9 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return 0;
  return std::stoll(digits);
}

// The Symbol('s34', ...) of an expression that has one.
std::string symbol_in(const std::string& expression) {
  const std::string begin = "Symbol('";
  const auto first = expression.find(begin);
  if (first == std::string::npos) return {};
  const auto last = expression.find(')', first);
  return last == std::string::npos ? "" : expression.substr(first, last + 1 - first);
}

std::string name_of_symbol(const std::string& symbol) {
  const auto first = symbol.find('\'');
  const auto last = symbol.find('\'', first + 1);
  return last == std::string::npos ? "" : symbol.substr(first + 1, last - first - 1);
}

int64_t bound(const Json& range, const char* key, int64_t otherwise) {
  return range.contains(key) && range[key].is_number_integer() ? range[key].get<int64_t>()
                                                               : otherwise;
}

std::vector<int64_t> numbers_of(const std::vector<Size>& sizes) {
  std::vector<int64_t> numbers;
  for (const auto& size : sizes) numbers.push_back(size.number);
  return numbers;
}

// The stimulus's own shape where the batch is along an axis.
void shape_along(const std::vector<int64_t>& sizes, Layer& layer) {
  layer.shape.clear();
  if (layer.windows > 1) layer.shape.push_back(layer.windows);
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (static_cast<int64_t>(i) != layer.batch_axis) layer.shape.push_back(sizes[i]);
  }
}

}  // namespace

std::string text_of(const BatchSizes& sizes) {
  if (sizes.least == sizes.most) return std::to_string(sizes.least);
  if (sizes.least <= 1 && sizes.allow(kMicroBatch)) return "any";
  auto text = std::to_string(sizes.least) + " to " + std::to_string(sizes.most);
  if (sizes.most == BatchSizes().most) text = std::to_string(sizes.least) + " or more";
  return sizes.step > 1 ? text + ", multiples of " + std::to_string(sizes.step) : text;
}

BatchSizes read_batch_sizes(const Json& program, const Json& input, const std::string& where) {
  const auto sizes = sizes_in(input);
  const auto numbers = numbers_of(sizes);
  if (sizes.size() != 4 || numbers[1] != 3 || numbers[2] != numbers[3]) {
    throw bad_input({where, "input", shape_text(numbers), "4 axes: images [batch, 3, N, N]",
                     "Export a network whose forward takes a batch of images"});
  }
  BatchSizes allowed;
  const auto& batch = sizes[0];
  if (batch.expression.empty()) {
    allowed.least = allowed.most = batch.number;
  } else {
    const auto symbol = symbol_in(batch.expression);
    const auto name = name_of_symbol(symbol);
    allowed.step = times(batch.expression, symbol);
    const auto& ranges = program.at("range_constraints");
    if (allowed.step == 0) {  // an arithmetic of its own: what it was traced with is right
      allowed = {batch.number, batch.number, 1};
    } else if (ranges.contains(name)) {
      allowed.least =
          allowed.step * std::clamp<int64_t>(bound(ranges[name], "min_val", 1), 1, 1 << 30);
      const auto most = bound(ranges[name], "max_val", allowed.most);
      if (most < (int64_t{1} << 30)) allowed.most = allowed.step * most;
    }
  }
  if (allowed.least < 1 || allowed.least > allowed.most || allowed.least > 65536) {
    throw bad_input({where, "input", "batches of " + text_of(allowed), "1 to 65536",
                     "Export with batches of 1 or more"});
  }
  return allowed;
}

std::string not_features(at::ScalarType type, const std::vector<int64_t>& sizes) {
  if (at::isComplexType(type)) return "complex numbers";
  if (type == at::kBool) return "truth values";
  if (!at::isFloatingType(type)) return "whole numbers (places or identifiers)";
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) return "no features";
  return {};
}

int64_t batch_near(int64_t wanted, const BatchSizes& sizes) {
  const auto n = std::clamp(wanted, sizes.least, sizes.most) / sizes.step * sizes.step;
  return std::max(n, sizes.least);
}

bool place_batch(const Json& value, at::ScalarType type, const Json& input, Layer& layer) {
  const auto sizes = sizes_in(value);
  const auto batch = sizes_in(input).at(0);
  layer.batch_axis = 0;
  layer.windows = 1;
  shape_along(numbers_of(sizes), layer);
  layer.unusable = not_features(type, numbers_of(sizes));
  if (!layer.unusable.empty()) return false;
  if (batch.expression.empty()) {
    // Every size is a number. Of a single stimulus all is its own; of several, sizes may agree by
    // chance.
    if (batch.number > 1) return true;
    if (sizes.empty() || sizes[0].number != 1) {
      layer.batch_axis = -1;
      layer.shape = numbers_of(sizes);
    }
    return false;
  }
  std::vector<int64_t> open;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (!sizes[i].expression.empty()) open.push_back(static_cast<int64_t>(i));
  }
  if (open.empty()) {
    layer.unusable = "the same for every batch, " + shape_text(numbers_of(sizes));
    return false;
  }
  if (open.size() > 1) {
    layer.unusable = "a size that grows with the batch on several axes";
    return false;
  }
  const auto& own = sizes[static_cast<size_t>(open[0])];
  layer.windows = times(own.expression, batch.expression);
  if (layer.windows == 0) {
    // Another way to write it: as it was traced, it is the batch or several of it.
    layer.windows = own.number % batch.number == 0 ? own.number / batch.number : 0;
    if (layer.windows == 0) {
      layer.unusable = "an axis that is no multiple of the batch";
      return false;
    }
  }
  layer.batch_axis = open[0];
  shape_along(numbers_of(sizes), layer);
  return layer.windows > 1;
}

namespace {

constexpr int64_t kMostAtOnce = int64_t{1} << 22;  // numbers that are widened
constexpr int64_t kMostHeld = int64_t{4} << 30;    // bytes of a run

// What is compared of a value: along every axis that may hold the batch, each slice's product with
// one pattern, [size] float64; empty along others.
struct Seen {
  std::vector<int64_t> sizes;
  std::vector<at::Tensor> slices;
};

// Numbers in 0..1 that are the same everywhere and follow no pattern of a network: parts of
// multiples of the golden ratio.
at::Tensor noise(int64_t begin, int64_t n, const at::Device& device) {
  return (at::arange(begin, begin + n, at::device(device).dtype(at::kDouble)) * 0.6180339887498949)
      .frac();
}

Seen see(const at::Tensor& value, int64_t n) {
  Seen seen;
  seen.sizes = value.sizes().vec();
  for (int64_t axis = 0; axis < value.dim(); ++axis) {
    seen.slices.emplace_back();
    if (value.numel() == 0 || value.size(axis) % n != 0) continue;
    const auto slices = value.movedim(axis, 0).reshape({value.size(axis), -1});
    auto sums = at::zeros({slices.size(0)}, slices.options().dtype(at::kDouble));
    const auto step = std::max<int64_t>(1, kMostAtOnce / slices.size(0));
    for (int64_t begin = 0; begin < slices.size(1); begin += step) {
      const auto n_columns = std::min(step, slices.size(1) - begin);
      sums += slices.narrow(1, begin, n_columns)
                  .to(at::kDouble)
                  .matmul(noise(begin, n_columns, value.device()) - 0.5);
    }
    seen.slices.back() = sums;
  }
  return seen;
}

bool all_true(const at::Tensor& values) {
  return at::all(values).equal(at::ones({}, at::kBool).to(values.device()));
}

bool close(const at::Tensor& a, const at::Tensor& b) {
  const auto scale = at::maximum(a.abs().max(), b.abs().max());
  return all_true((a - b).abs() <= 1e-3 * scale);
}

// Whether features along an axis go where their stimuli go, and whether that could be seen at all.
enum class Follows { kNo, kYes, kUnseen };
Follows follows(const at::Tensor& one, const at::Tensor& other, int64_t n) {
  const auto by_stimulus = one.reshape({n, -1});
  if (!close(by_stimulus.flip(0), other.reshape({n, -1}))) return Follows::kNo;
  return close(by_stimulus, by_stimulus.flip(0)) ? Follows::kUnseen : Follows::kYes;
}

void place_by(const Seen& one, const Seen& other, int64_t n, Layer& layer) {
  const bool known = layer.windows > 1;  // the axis, if not the order along it
  std::optional<int64_t> found;
  for (int64_t axis = 0; axis < static_cast<int64_t>(one.sizes.size()) && !found; ++axis) {
    const auto place = static_cast<size_t>(axis);
    if ((known && axis != layer.batch_axis) || one.sizes != other.sizes ||
        !one.slices[place].defined())
      continue;
    if (follows(one.slices[place], other.slices[place], n) == Follows::kYes) found = axis;
  }
  // Where all stimuli give the same, as dead units do, the first axis is the batch if it has its
  // size.
  if (!found && !known && !one.sizes.empty() && one.sizes[0] == n &&
      follows(one.slices[0], other.slices[0], n) == Follows::kUnseen)
    found = 0;
  if (!found) {
    for (const auto& slices : one.slices) {
      if (!slices.defined() || all_true(slices.isfinite())) continue;
      layer.unusable =
          "NaN or infinity, for which the network's weights and input are to be checked";
      return;
    }
    layer.unusable = "no axis along which features follow their stimuli, " + shape_text(one.sizes);
    return;
  }
  layer.batch_axis = *found;
  layer.windows = one.sizes[static_cast<size_t>(*found)] / n;
  shape_along(one.sizes, layer);
}

// Stripes of another width for every stimulus, under noise: [n, 3, size, size].
at::Tensor images_of(int64_t n, int64_t size) {
  auto images = at::empty({n, 3, size, size}, at::kFloat);
  const auto places = at::arange(size, at::kDouble) * 0.2;
  const auto pixels = 3 * size * size;
  for (int64_t i = 0; i < n; ++i) {
    const auto stripes = 0.3 * (places * (i + 1)).sin() + 0.3;
    images[i].copy_(stripes + 0.4 * noise(i * pixels, pixels, at::kCPU).view({3, size, size}));
  }
  return images;
}

}  // namespace

void found_by_running(const Network& network,
                      const std::vector<size_t>& open,
                      std::vector<Layer>& layers) {
  if (open.empty()) return;
  const at::NoGradGuard no_grad;
  const auto n = batch_near(2, network.batch_sizes());
  const auto size = network.input().size;
  std::vector<std::string> names;
  std::map<std::string, size_t> place;  // modules share values
  for (const auto i : open) {
    if (place.try_emplace(layers[i].value, names.size()).second) names.push_back(layers[i].name);
  }
  std::string why;
  std::vector<std::optional<Seen>> one(names.size()), other(names.size());
  try {
    if (const auto held = network.working_bytes(n, names); held > kMostHeld) {
      why = "a forward pass of " + std::to_string(n) + " stimuli that holds " +
            std::to_string(held >> 30) + " GiB";
    } else {
      const auto images = images_of(n, size);
      const auto run = [&](const at::Tensor& batch, std::vector<std::optional<Seen>>& seen) {
        network.run(batch.to(network.device()), names,
                    [&](size_t i, const at::Tensor& value) { seen[i] = see(value, n); });
      };
      run(images, one);
      run(images.flip(0), other);
    }
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::kOutOfMemory) throw;
    why = e.what();
    if (const auto path = network.path() + ": "; why.starts_with(path)) why.erase(0, path.size());
    why = "a graph that does not run with " + std::to_string(n) + " stimuli (" + why + ")";
  }
  for (const auto i : open) {
    const auto at_value = place.at(layers[i].value);
    if (one[at_value] && other[at_value])
      place_by(*one[at_value], *other[at_value], n, layers[i]);
    else
      layers[i].unusable = why;
  }
}

std::string seen_on_noise(const Network& network, const std::vector<std::string>& layers) {
  const at::NoGradGuard no_grad;
  const auto n = batch_near(2, network.batch_sizes());
  std::string text;
  network.run(images_of(n, network.input().size).to(network.device()), layers,
              [&](size_t i, const at::Tensor& value) {
                text += layers[i];
                for (const auto& sums : see(value, n).slices) {
                  if (sums.defined()) text += sha256_of_values(sums);
                }
              });
  return sha256_of(text);
}

}  // namespace cortiscore
