#pragma once
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <nlohmann/json.hpp>

namespace cortiscore::graph {

using Json = nlohmann::json;
/// Values by their number.
using Values = std::vector<c10::IValue>;

/// Gives every value name of a graph a number, once.
class Names {
 public:
  size_t number(const std::string& name) {
    return numbers_.try_emplace(name, numbers_.size()).first->second;
  }
  /// @throws std::out_of_range
  size_t known(const std::string& name) const { return numbers_.at(name); }
  bool has(const std::string& name) const { return numbers_.contains(name); }
  size_t size() const { return numbers_.size(); }

 private:
  std::unordered_map<std::string, size_t> numbers_;
};

/// One argument: a constant, a value, or a list of values.
struct Argument {
  enum class Kind {
    kConstant,
    kValue,
    kTensors,
    kOptionalTensors,
    kIntegers
  } kind = Kind::kConstant;
  c10::IValue constant;
  std::vector<int64_t> values;    ///< numbers of values; for kIntegers those >= 0, with...
  std::vector<int64_t> integers;  ///< ...the literal where the value is -1
  bool wrap_scalar = false;       ///< a Python number where the schema wants a Tensor
};

/// One call of an operator, arguments in schema order; without an operator, arithmetic on two integers.
struct Node {
  std::string target;
  std::optional<c10::OperatorHandle> op;
  std::vector<Argument> arguments;
  std::vector<std::vector<int64_t>>
      outputs;  ///< a returned value: one number, or those of a list; -1 is dropped
};

/// @throws Error(kBadInput)  an operator or argument that is not allowed or not known
Node read_node(const Json& node, Names& names, const at::Device& device, const std::string& where);

/// Runs one node on `values`.
void call(const Node& node, Values& values);

/// torch.export's number of a dtype (its serialization schema, major version 8).
at::ScalarType scalar_type(int64_t code, const std::string& where);

}  // namespace cortiscore::graph
