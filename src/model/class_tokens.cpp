#include "src/model/class_tokens.h"

#include <regex>

namespace cortiscore {

bool is_class_token(const std::string& weight) {
  // Of such names: the library's search goes one call deeper with every digit.
  constexpr size_t kLongest = 64;
  static const std::regex kNames("(cls|class)(_?(token|embedding|embed|emb)s?)(_?[0-9]+)?");
  const auto name = weight.substr(weight.rfind('.') + 1);
  return name.size() <= kLongest && std::regex_match(name, kNames);
}

ClassTokens::ClassTokens(const std::vector<graph::Node>& nodes,
                         const std::vector<size_t>& tokens,
                         size_t n_values,
                         const std::function<int64_t(size_t, int64_t)>& size)
    : depends_(n_values) {
  if (tokens.empty()) return;
  for (const auto token : tokens) depends_[token] = true;
  const auto on_token = [&](int64_t value) {
    return value >= 0 && depends_[static_cast<size_t>(value)];
  };
  for (const auto& node : nodes) {
    bool any = false;
    for (const auto& argument : node.arguments) {
      for (const auto value : argument.values) any = any || on_token(value);
    }
    if (!any) continue;
    for (const auto& numbers : node.outputs) {
      for (const auto value : numbers) {
        if (value >= 0) depends_[static_cast<size_t>(value)] = true;
      }
    }
    // What joins a token to what knows nothing of it gives it its place.
    if (node.target != "torch.ops.aten.cat.default" || node.arguments.size() < 2) continue;
    const auto& joined = node.arguments[0].values;
    bool others = false;
    for (const auto value : joined) others = others || !on_token(value);
    const auto made = node.outputs.at(0).at(0);
    if (!others || joined.empty() || !on_token(joined[0]) || made < 0 ||
        !node.arguments[1].constant.isInt())
      continue;
    counts_.insert(size(static_cast<size_t>(made), node.arguments[1].constant.toInt()));
  }
}

}  // namespace cortiscore
