#pragma once
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <nlohmann/json.hpp>

#include "cortiscore/error.h"

namespace cortiscore::graph {

using Json = nlohmann::json;
/// Values by their number.
using Values = std::vector<c10::IValue>;

/// Gives every value name of a graph a number, once.
class Names {
 public:
  enum class Kind : char { kTensor, kInteger };
  /// The number of a new value; nothing where there is one of that name.
  std::optional<size_t> add(const std::string& name, Kind kind = Kind::kTensor) {
    const auto [found, fresh] = numbers_.try_emplace(name, numbers_.size());
    if (!fresh) return std::nullopt;
    kinds_.push_back(kind);
    return found->second;
  }
  /// @throws std::out_of_range
  size_t known(const std::string& name) const { return numbers_.at(name); }
  bool has(const std::string& name) const { return numbers_.contains(name); }
  Kind kind(size_t number) const { return kinds_.at(number); }
  size_t size() const { return numbers_.size(); }

 private:
  std::unordered_map<std::string, size_t> numbers_;
  std::vector<Kind> kinds_;
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

/// One call of an operator, arguments in schema order; without an operator, arithmetic on two
/// integers.
struct Node {
  std::string target;  ///< "torch.ops.aten.add.Tensor"
  std::string name;    ///< the operator's own: "add.Tensor"
  std::string value;   ///< the first that it makes, for messages
  std::optional<c10::OperatorHandle> op;
  std::vector<Argument> arguments;
  /// a returned value: one number, or those of a list after a -2; -1 is dropped
  std::vector<std::vector<int64_t>> outputs;
};

/// What a file says in one of several forms is an object of one member, whose name is the form's:
/// {"as_int": 3}.
/// @param field  for messages
/// @throws Error(kBadInput)  anything else
std::pair<std::string, const Json*> tagged(const Json& value,
                                           const std::string& where,
                                           const std::string& field);

/// A node whose operator is allowed (operators.h) and whose arguments and outputs are those of its
/// schema, from values that are there before it. Its outputs get numbers.
/// @throws Error(kBadInput)  naming the node, the argument, what was found and what was expected
Node read_node(const Json& node, Names& names, const at::Device& device, const std::string& where);

/// Runs one node on `values`.
void call(const Node& node, Values& values);

/// What running a graph gives, found on tensors without memory.
struct Shapes {
  std::vector<std::vector<int64_t>> sizes;  ///< of a tensor, by its number; of others none
  std::vector<at::ScalarType> types;        ///< likewise
  std::vector<int64_t> bytes;               ///< of what nodes make
  bool writes_input = false;                ///< an in-place operator writes into the images
};

/// Runs all nodes on tensors without memory: what does not fit together is found before any of it
/// is allocated.
/// @param constants  weights, buffers and lifted constants at their numbers
/// @param input      of the images, [n, 3, N, N]
/// @throws Error(kBadInput)  naming the first node that cannot run, makes more than 2^36 elements,
///                           writes into weights, or depends on chance
Shapes shapes_of(const std::vector<Node>& nodes,
                 const Values& constants,
                 size_t n_values,
                 size_t input_number,
                 const std::vector<int64_t>& input,
                 const std::string& where);

/// What is said of a node that Torch did not run. @param error  Torch's own words
Error not_run(const Node& node, const std::string& error, const std::string& where);

/// torch.export's number of a dtype (its serialization schema, major version 8).
at::ScalarType scalar_type(int64_t code, const std::string& where);

}  // namespace cortiscore::graph
