#include "src/model/weight_depth.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace cortiscore {
namespace {

bool is_product(const std::string& name) {
  constexpr std::array<std::string_view, 7> kBeginnings = {"conv", "_conv", "linear", "einsum",
                                                           "lstm", "gru",   "rnn_"};
  constexpr std::array<std::string_view, 5> kNames = {"addmm", "mm", "matmul", "bmm", "baddbmm"};
  const std::string_view operation = std::string_view(name).substr(0, name.find('.'));
  return std::any_of(kBeginnings.begin(), kBeginnings.end(),
                     [&](auto beginning) { return operation.starts_with(beginning); }) ||
         std::find(kNames.begin(), kNames.end(), operation) != kNames.end();
}

}  // namespace

int64_t weight_depth(const std::vector<graph::Node>& nodes, size_t n_values, size_t input) {
  constexpr int64_t kNotOfImage = -1;
  std::vector<int64_t> depths(n_values, kNotOfImage);
  depths[input] = 0;
  int64_t deepest = 0;
  for (const auto& node : nodes) {
    int64_t depth = kNotOfImage;
    bool weights = false;
    for (const auto& argument : node.arguments) {
      if (argument.kind == graph::Argument::Kind::kConstant ||
          argument.kind == graph::Argument::Kind::kIntegers)
        continue;
      for (const auto number : argument.values) {
        if (number < 0) continue;
        const auto of_value = depths[static_cast<size_t>(number)];
        depth = std::max(depth, of_value);
        weights = weights || of_value == kNotOfImage;
      }
    }
    if (depth == kNotOfImage) continue;
    if (weights && node.op && is_product(node.name)) ++depth;
    deepest = std::max(deepest, depth);
    for (const auto& numbers : node.outputs) {
      for (const auto number : numbers) {
        if (number >= 0) depths[static_cast<size_t>(number)] = depth;
      }
    }
  }
  return deepest;
}

}  // namespace cortiscore
