#pragma once
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "src/model/graph.h"

namespace cortiscore {

/// Whether a weight is a class token, by its name: the last part is cls_token, class_token,
/// class_embedding or nearly so.
bool is_class_token(const std::string& weight);

/// Which values of a graph have a class token as their first: those that depend on one and have as
/// many tokens as some concatenation that puts it before others.
class ClassTokens {
 public:
  ClassTokens() = default;
  /// @param tokens    numbers of the values that are class tokens
  /// @param n_values  of the graph
  /// @param size      (value, axis): as it was traced
  ClassTokens(const std::vector<graph::Node>& nodes,
              const std::vector<size_t>& tokens,
              size_t n_values,
              const std::function<int64_t(size_t, int64_t)>& size);

  bool any() const { return !counts_.empty(); }
  bool first_of(size_t value, int64_t n_tokens) const {
    return value < depends_.size() && depends_[value] && counts_.contains(n_tokens);
  }

 private:
  std::vector<bool> depends_;
  std::set<int64_t> counts_;
};

}  // namespace cortiscore
