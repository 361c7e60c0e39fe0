#include "src/model/graph.h"

#include <array>
#include <set>

#include <ATen/ATen.h>
#include <ATen/ScalarOps.h>
#include <ATen/core/jit_type.h>

#include "cortiscore/error.h"

namespace cortiscore::graph {
namespace {

// What could reach outside the graph's own tensors, or let a file choose memory.
const std::set<std::string> kForbidden = {
    "from_file",     "set_",          "set_data",        "save",   "resize_",
    "resize_as_",    "as_strided_",   "_resize_output_", "_print", "_load_from_bytes",
    "empty_strided", "empty_permuted"};

Error refused(const std::string& where, const std::string& target, const std::string& why) {
  return bad_input({where, "operator " + target, why, "operators of aten that touch tensors alone",
                    "Export the network again with `cortiscore model export`"});
}

c10::OperatorHandle find_operator(const std::string& target, const std::string& where) {
  // "torch.ops.aten.add.Tensor"
  constexpr const char* kPrefix = "torch.ops.";
  const auto rest = target.substr(std::char_traits<char>::length(kPrefix));
  const auto dot = rest.find('.');
  const auto last = rest.find('.', dot + 1);
  if (dot == std::string::npos || last == std::string::npos)
    throw refused(where, target, "a malformed name");
  const auto space = rest.substr(0, dot);
  const auto name = rest.substr(dot + 1, last - dot - 1);
  auto overload = rest.substr(last + 1);
  if (overload == "default") overload.clear();
  if (space != "aten") throw refused(where, target, "namespace " + space);
  if (kForbidden.contains(name)) throw refused(where, target, "it is not allowed");
  auto found = c10::Dispatcher::singleton().findSchema({"aten::" + name, overload});
  if (!found) throw refused(where, target, "this LibTorch has no such operator");
  return *found;
}

Argument constant(c10::IValue value) {
  Argument argument;
  argument.constant = std::move(value);
  return argument;
}

Argument of_values(Argument::Kind kind, std::vector<int64_t> numbers) {
  Argument argument;
  argument.kind = kind;
  argument.values = std::move(numbers);
  return argument;
}

int64_t number_of(const Json& tensor, const Names& names) {
  return static_cast<int64_t>(names.known(tensor.at("name").get<std::string>()));
}

Argument integers(const Json& list, const Names& names) {
  Argument argument;
  argument.kind = Argument::Kind::kIntegers;
  for (const auto& item : list) {
    const bool named = item.contains("as_name");
    argument.values.push_back(
        named ? static_cast<int64_t>(names.known(item.at("as_name").get<std::string>())) : -1);
    argument.integers.push_back(named ? 0 : item.at("as_int").get<int64_t>());
  }
  return argument;
}

template <typename T>
Argument constant_list(const Json& list) {
  c10::List<T> out;
  for (const auto& item : list) out.push_back(item.get<T>());
  return constant(std::move(out));
}

Argument read_argument(const Json& tagged,
                       const Names& names,
                       const at::Device& device,
                       const std::string& where) {
  const auto kind = tagged.begin().key();
  const auto& value = tagged.begin().value();
  if (kind == "as_none") return constant({});
  if (kind == "as_tensor") return of_values(Argument::Kind::kValue, {number_of(value, names)});
  if (kind == "as_tensors") {
    std::vector<int64_t> numbers;
    for (const auto& tensor : value) numbers.push_back(number_of(tensor, names));
    return of_values(Argument::Kind::kTensors, std::move(numbers));
  }
  if (kind == "as_optional_tensors") {
    std::vector<int64_t> numbers;
    for (const auto& tensor : value) {
      numbers.push_back(tensor.contains("as_tensor") ? number_of(tensor.at("as_tensor"), names)
                                                     : -1);
    }
    return of_values(Argument::Kind::kOptionalTensors, std::move(numbers));
  }
  if (kind == "as_int") return constant(value.get<int64_t>());
  if (kind == "as_float") {
    // JSON has no infinity: the exporter writes it as text.
    if (value.is_string()) return constant(std::stod(value.get<std::string>()));
    return constant(value.get<double>());
  }
  if (kind == "as_bool") return constant(value.get<bool>());
  if (kind == "as_string") return constant(value.get<std::string>());
  if (kind == "as_ints") return constant_list<int64_t>(value);
  if (kind == "as_floats") return constant_list<double>(value);
  if (kind == "as_bools") return constant_list<bool>(value);
  if (kind == "as_sym_ints") return integers(value, names);
  if (kind == "as_sym_int") {
    if (value.contains("as_int")) return constant(value.at("as_int").get<int64_t>());
    return of_values(Argument::Kind::kValue,
                     {static_cast<int64_t>(names.known(value.at("as_name").get<std::string>()))});
  }
  if (kind == "as_scalar_type")
    return constant(static_cast<int64_t>(scalar_type(value.get<int64_t>(), where)));
  if (kind == "as_memory_format") {
    constexpr std::array<int64_t, 5> kFormats = {0, 0, 2, 3, 1};
    return constant(kFormats.at(value.get<size_t>()));
  }
  if (kind == "as_layout") return constant(static_cast<int64_t>(at::kStrided));
  if (kind == "as_device") return constant(device);
  throw bad_input({where, "argument kind", kind, "a tensor, number, text or list of these",
                   "Control flow and custom objects are not run; export the network without them"});
}

c10::IValue value_of(const Argument& argument, const Values& values) {
  const auto at_ = [&](int64_t number) -> const c10::IValue& {
    return values[static_cast<size_t>(number)];
  };
  switch (argument.kind) {
    case Argument::Kind::kConstant:
      return argument.constant;
    case Argument::Kind::kValue:
      return at_(argument.values[0]);
    case Argument::Kind::kTensors: {
      c10::List<at::Tensor> list;
      for (const auto number : argument.values) list.push_back(at_(number).toTensor());
      return list;
    }
    case Argument::Kind::kOptionalTensors: {
      c10::List<std::optional<at::Tensor>> list;
      for (const auto number : argument.values) {
        list.push_back(number < 0 ? std::nullopt
                                  : std::optional<at::Tensor>(at_(number).toTensor()));
      }
      return list;
    }
    case Argument::Kind::kIntegers: {
      c10::List<int64_t> list;
      for (size_t i = 0; i < argument.values.size(); ++i) {
        list.push_back(argument.values[i] < 0 ? argument.integers[i]
                                              : at_(argument.values[i]).toInt());
      }
      return list;
    }
  }
  return {};
}

int64_t arithmetic(const std::string& target, int64_t a, int64_t b) {
  if (target == "_operator.mul") return a * b;
  if (target == "_operator.add") return a + b;
  if (target == "_operator.sub") return a - b;
  return a >= 0 ? a / b : -((-a + b - 1) / b);  // floordiv
}

}  // namespace

at::ScalarType scalar_type(int64_t code, const std::string& where) {
  constexpr std::array kTypes = {
      at::kFloat,        at::kByte,          at::kChar,  at::kShort,   at::kInt,
      at::kLong,         at::kHalf,          at::kFloat, at::kDouble,  at::kComplexHalf,
      at::kComplexFloat, at::kComplexDouble, at::kBool,  at::kBFloat16};
  if (code < 1 || code >= static_cast<int64_t>(kTypes.size())) {
    throw bad_input({where, "dtype code", std::to_string(code), "1 to 13", ""});
  }
  return kTypes[static_cast<size_t>(code)];
}

Node read_node(const Json& json, Names& names, const at::Device& device, const std::string& where) {
  Node node;
  node.target = json.at("target").get<std::string>();
  const auto& inputs = json.at("inputs");
  if (node.target.starts_with("torch.ops.")) {
    node.op = find_operator(node.target, where);
    const auto& schema = node.op->schema().arguments();
    node.arguments.resize(schema.size());
    std::vector<bool> given(schema.size());
    for (const auto& input : inputs) {
      const auto name = input.at("name").get<std::string>();
      size_t position = 0;
      while (position < schema.size() && schema[position].name() != name) ++position;
      if (position == schema.size())
        throw refused(where, node.target, "an argument " + name + " that it has not");
      auto argument = read_argument(input.at("arg"), names, device, where);
      const auto& type = *schema[position].type();
      const bool wants_tensor = type.kind() == c10::TypeKind::TensorType;
      argument.wrap_scalar =
          wants_tensor && argument.kind == Argument::Kind::kConstant && !argument.constant.isNone();
      if (argument.kind == Argument::Kind::kTensors && type.str().find('?') != std::string::npos) {
        argument.kind = Argument::Kind::kOptionalTensors;
      }
      node.arguments[position] = std::move(argument);
      given[position] = true;
    }
    for (size_t i = 0; i < schema.size(); ++i) {
      if (given[i]) continue;
      if (!schema[i].default_value())
        throw refused(where, node.target, "no argument " + schema[i].name());
      node.arguments[i] = constant(*schema[i].default_value());
    }
  } else {
    static const std::set<std::string> kArithmetic = {"_operator.mul", "_operator.add",
                                                      "_operator.sub", "_operator.floordiv"};
    if (!kArithmetic.contains(node.target)) throw refused(where, node.target, "not known");
    for (const auto& input : inputs)
      node.arguments.push_back(read_argument(input.at("arg"), names, device, where));
  }
  for (const auto& output : json.at("outputs")) {
    const auto kind = output.begin().key();
    const auto& value = output.begin().value();
    std::vector<int64_t> numbers;
    if (kind == "as_tensor")
      numbers.push_back(static_cast<int64_t>(names.number(value.at("name"))));
    else if (kind == "as_sym_int")
      numbers.push_back(static_cast<int64_t>(names.number(value.at("as_name"))));
    else if (kind == "as_none")
      numbers.push_back(-1);
    else if (kind == "as_tensors") {
      numbers.push_back(-2);  // a list follows
      for (const auto& tensor : value)
        numbers.push_back(static_cast<int64_t>(names.number(tensor.at("name"))));
    } else {
      throw bad_input({where, "output kind of " + node.target, kind,
                       "a tensor, a list of tensors or an integer", ""});
    }
    node.outputs.push_back(std::move(numbers));
  }
  return node;
}

void call(const Node& node, Values& values) {
  if (!node.op) {
    values[static_cast<size_t>(node.outputs.at(0).at(0))] =
        arithmetic(node.target, value_of(node.arguments.at(0), values).toInt(),
                   value_of(node.arguments.at(1), values).toInt());
    return;
  }
  torch::jit::Stack stack;
  stack.reserve(node.arguments.size());
  for (const auto& argument : node.arguments) {
    auto value = value_of(argument, values);
    if (argument.wrap_scalar) {
      // As Python's binding does: a wrapped number takes no part in type promotion.
      auto tensor = c10::scalar_to_tensor(value.toScalar());
      tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
      value = tensor;
    }
    stack.push_back(std::move(value));
  }
  node.op->callBoxed(stack);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const auto& numbers = node.outputs[i];
    if (numbers.at(0) == -2) {
      const auto list = stack.at(i).toTensorVector();
      for (size_t k = 1; k < numbers.size(); ++k)
        values[static_cast<size_t>(numbers[k])] = list.at(k - 1);
    } else if (numbers.at(0) >= 0) {
      values[static_cast<size_t>(numbers[0])] = std::move(stack.at(i));
    }
  }
}

}  // namespace cortiscore::graph
