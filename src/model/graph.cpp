#include "src/model/graph.h"

#include <array>
#include <cmath>
#include <limits>
#include <set>

#include <ATen/ATen.h>
#include <ATen/ScalarOps.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/jit_type.h>

#include "src/model/operators.h"

namespace cortiscore::graph {
namespace {

using torch::jit::Stack;

// A value of more elements is of no network: 2^36 take 256 GiB.
constexpr int64_t kMostElements = int64_t{1} << 36;
constexpr const char* kAction = "Export the network again with `cortiscore model export`";
const std::set<std::string> kArithmetic = {"_operator.mul", "_operator.add", "_operator.sub",
                                           "_operator.floordiv"};

std::string name_of(const Node& node) {
  return "operator " + node.target + (node.value.empty() ? "" : " of \"" + node.value + "\"");
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

// What one node says, read by the schema of its operator.
class NodeReader {
 public:
  NodeReader(const Json& json, Names& names, const at::Device& device, const std::string& where)
      : json_(json), names_(names), device_(device), where_(where) {
    node_.target = json.at("target").get<std::string>();
    const auto& outputs = json.at("outputs");
    if (outputs.is_array() && !outputs.empty()) node_.value = first_name(outputs[0]);
  }

  Node read() {
    constexpr std::string_view kPrefix = "torch.ops.";
    if (node_.target.starts_with(kPrefix))
      read_call(node_.target.substr(kPrefix.size()));
    else if (kArithmetic.contains(node_.target))
      read_arithmetic();
    else
      throw refused("", "an operator that is not known", "operators of aten");
    return std::move(node_);
  }

 private:
  static std::string first_name(const Json& output) {
    if (!output.is_object() || output.empty()) return "";
    const auto& value = output.begin().value();
    const auto& item = value.is_array() && !value.empty() ? value[0] : value;
    if (!item.is_object()) return "";
    for (const char* key : {"name", "as_name"}) {
      if (item.contains(key) && item[key].is_string()) return item[key].get<std::string>();
    }
    return "";
  }

  Error refused(const std::string& argument,
                const std::string& found,
                const std::string& expected) const {
    return bad_input({where_, name_of(node_) + (argument.empty() ? "" : ", " + argument), found,
                      expected, kAction});
  }

  void read_call(const std::string& name) {
    if (!name.starts_with("aten.")) {
      throw refused("", "an operator of " + name.substr(0, name.find('.')), "one of aten");
    }
    node_.name = name.substr(std::char_traits<char>::length("aten."));
    node_.op = allowed_operator(node_.name);
    if (!node_.op) {
      throw refused("", "an operator that is not allowed",
                    "one that computes from its arguments alone (docs/formats.md)");
    }
    const auto& schema = node_.op->schema().arguments();
    node_.arguments.resize(schema.size());
    std::vector<bool> given(schema.size());
    for (const auto& input : json_.at("inputs")) {
      const auto name_of_it = input.at("name").get<std::string>();
      size_t position = 0;
      while (position < schema.size() && schema[position].name() != name_of_it) ++position;
      if (position == schema.size())
        throw refused("argument " + name_of_it, "one that the operator has not",
                      "those of its schema");
      if (given[position]) throw refused("argument " + name_of_it, "it twice", "it once");
      given[position] = true;
      what_ = "argument " + name_of_it;
      node_.arguments[position] = read_argument(input.at("arg"), schema[position]);
    }
    bool takes_tensors = false;
    for (const auto& argument : schema)
      takes_tensors |= argument.type()->str().find("Tensor") != std::string::npos;
    for (size_t i = 0; i < schema.size(); ++i) {
      // What makes a tensor of none makes it where the network is.
      if (schema[i].name() == "device" && !takes_tensors) {
        node_.arguments[i] = constant(device_);
        given[i] = true;
      }
      if (schema[i].name() == "pin_memory" && given[i] && node_.arguments[i].constant.isBool() &&
          node_.arguments[i].constant.toBool())
        throw refused("argument pin_memory", "true", "false");
      if (given[i]) continue;
      if (!schema[i].default_value()) throw refused("argument " + schema[i].name(), "none", "one");
      node_.arguments[i] = constant(*schema[i].default_value());
    }
    const auto& returns = node_.op->schema().returns();
    const auto& outputs = json_.at("outputs");
    if (outputs.size() != returns.size()) {
      throw refused("outputs", std::to_string(outputs.size()), std::to_string(returns.size()));
    }
    for (size_t i = 0; i < returns.size(); ++i) read_output(outputs[i], *returns[i].type());
  }

  void read_arithmetic() {
    const auto& inputs = json_.at("inputs");
    if (inputs.size() != 2)
      throw refused("arguments", std::to_string(inputs.size()), "two integers");
    for (const auto& input : inputs) {
      what_ = "argument " + std::to_string(node_.arguments.size());
      const auto [kind, value] = tagged(input.at("arg"), where_, place());
      if (kind == "as_int")
        node_.arguments.push_back(constant(integer(*value)));
      else if (kind == "as_sym_int")
        node_.arguments.push_back(symbolic_integer(*value));
      else
        throw refused(what_, kind, "an integer");
    }
    const auto& outputs = json_.at("outputs");
    if (outputs.size() != 1) throw refused("outputs", std::to_string(outputs.size()), "1");
    read_output(outputs[0], *c10::IntType::get());
    if (node_.outputs[0].at(0) < 0) throw refused("outputs", "none", "an integer");
  }

  std::string place() const { return name_of(node_) + ", " + what_; }

  Error wrong_kind(const std::string& kind, const c10::Type& type) const {
    return refused(what_, kind, type.str());
  }

  // The number of a value that is there already.
  int64_t known(const Json& reference, const char* key, Names::Kind kind) const {
    const auto name = reference.at(key).get<std::string>();
    if (!names_.has(name)) {
      throw refused(what_, "\"" + name + "\"", "a value that is there before it");
    }
    const auto number = names_.known(name);
    if (names_.kind(number) != kind) {
      throw refused(what_, "\"" + name + "\"",
                    kind == Names::Kind::kTensor ? "a tensor" : "an integer");
    }
    return static_cast<int64_t>(number);
  }

  int64_t integer(const Json& value) const {
    if (value.is_number_integer() &&
        (!value.is_number_unsigned() ||
         value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()}))
      return value.get<int64_t>();
    throw refused(what_, value.dump(), "an integer of 64 bits");
  }

  // JSON has no infinity: the exporter writes it as text.
  double floating(const Json& value) const {
    if (value.is_number()) return value.get<double>();
    if (value.is_string()) {
      const auto text = value.get<std::string>();
      constexpr auto kInfinity = std::numeric_limits<double>::infinity();
      if (text == "Infinity") return kInfinity;
      if (text == "-Infinity") return -kInfinity;
      if (text == "NaN") return std::nan("");
    }
    throw refused(what_, value.dump(), "a number, Infinity, -Infinity or NaN");
  }

  Argument symbolic_integer(const Json& value) const {
    if (value.contains("as_int")) return constant(integer(value.at("as_int")));
    return of_values(Argument::Kind::kValue, {known(value, "as_name", Names::Kind::kInteger)});
  }

  Argument symbolic_integers(const Json& list) const {
    Argument argument;
    argument.kind = Argument::Kind::kIntegers;
    for (const auto& item : list) {
      const bool named = item.contains("as_name");
      argument.values.push_back(named ? known(item, "as_name", Names::Kind::kInteger) : -1);
      argument.integers.push_back(named ? 0 : integer(item.at("as_int")));
    }
    return argument;
  }

  Argument read_argument(const Json& json, const c10::Argument& schema) const {
    const auto [kind, value] = tagged(json, where_, place());
    // The type that Python sees tells a dtype from an integer.
    auto type = schema.real_type();
    const bool optional = type->kind() == c10::TypeKind::OptionalType;
    if (optional) type = type->expectRef<c10::OptionalType>().getElementType();
    if (kind == "as_none") {
      if (optional || type->kind() == c10::TypeKind::NoneType) return constant({});
      throw wrong_kind(kind, *type);
    }
    if (type->kind() == c10::TypeKind::ListType)
      return read_list(kind, *value, *type->expectRef<c10::ListType>().getElementType(), *type);
    return read_one(kind, *value, *type);
  }

  Argument read_one(const std::string& kind, const Json& value, const c10::Type& type) const {
    switch (type.kind()) {
      case c10::TypeKind::TensorType: {
        if (kind == "as_tensor")
          return of_values(Argument::Kind::kValue, {known(value, "name", Names::Kind::kTensor)});
        auto number = read_number(kind, value, type);
        number.wrap_scalar = true;
        return number;
      }
      case c10::TypeKind::NumberType:
        return read_number(kind, value, type);
      case c10::TypeKind::IntType:
      case c10::TypeKind::SymIntType:
        if (kind == "as_int") return constant(integer(value));
        if (kind == "as_sym_int") return symbolic_integer(value);
        break;
      case c10::TypeKind::FloatType:
        if (kind == "as_float") return constant(floating(value));
        if (kind == "as_int") return constant(static_cast<double>(integer(value)));
        break;
      case c10::TypeKind::BoolType:
        if (kind == "as_bool") return constant(value.get<bool>());
        break;
      case c10::TypeKind::StringType:
        if (kind == "as_string") return constant(value.get<std::string>());
        break;
      case c10::TypeKind::DeviceObjType:
        if (kind == "as_device") return constant(device_);
        break;
      case c10::TypeKind::ScalarTypeType:
        if (kind == "as_scalar_type")
          return constant(static_cast<int64_t>(scalar_type(integer(value), where_)));
        break;
      case c10::TypeKind::LayoutType:
        if (kind == "as_layout") {
          constexpr int64_t kStrided = 7;
          if (integer(value) != kStrided) throw refused(what_, value.dump(), "7, strided");
          return constant(static_cast<int64_t>(at::kStrided));
        }
        break;
      case c10::TypeKind::MemoryFormatType:
        if (kind == "as_memory_format") {
          constexpr std::array<int64_t, 5> kFormats = {0, 0, 2, 3, 1};
          const auto code = integer(value);
          if (code < 0 || code >= static_cast<int64_t>(kFormats.size()))
            throw refused(what_, std::to_string(code), "a memory format of 0 to 4");
          return constant(kFormats[static_cast<size_t>(code)]);
        }
        break;
      default:
        break;
    }
    throw wrong_kind(kind, type);
  }

  Argument read_number(const std::string& kind, const Json& value, const c10::Type& type) const {
    if (kind == "as_int") return constant(integer(value));
    if (kind == "as_float") return constant(floating(value));
    if (kind == "as_bool") return constant(value.get<bool>());
    if (kind == "as_sym_int") return symbolic_integer(value);
    throw wrong_kind(kind, type);
  }

  template <typename T, typename Item>
  static Argument constant_list(const Json& list, const Item& item) {
    c10::List<T> out;
    for (const auto& value : list) out.push_back(item(value));
    return constant(std::move(out));
  }

  Argument read_list(const std::string& kind,
                     const Json& value,
                     const c10::Type& element,
                     const c10::Type& type) const {
    const bool one = kind == "as_int" || kind == "as_sym_int" || kind == "as_float";
    if (!one && !value.is_array()) throw wrong_kind(kind, type);
    const bool empty = !one && value.empty();  // of whatever kind
    switch (element.kind()) {
      case c10::TypeKind::TensorType:
      case c10::TypeKind::OptionalType: {
        const bool optional = element.kind() == c10::TypeKind::OptionalType;
        if (kind != "as_tensors" && !(optional && kind == "as_optional_tensors") && !empty) break;
        std::vector<int64_t> numbers;
        for (const auto& item : value) {
          if (kind == "as_tensors")
            numbers.push_back(known(item, "name", Names::Kind::kTensor));
          else if (item.contains("as_tensor"))
            numbers.push_back(known(item.at("as_tensor"), "name", Names::Kind::kTensor));
          else if (item.contains("as_none"))
            numbers.push_back(-1);
          else
            throw refused(what_, item.dump().substr(0, 80), "tensors");
        }
        return of_values(optional ? Argument::Kind::kOptionalTensors : Argument::Kind::kTensors,
                         std::move(numbers));
      }
      case c10::TypeKind::IntType:
      case c10::TypeKind::SymIntType:
        if (kind == "as_sym_ints") return symbolic_integers(value);
        if (kind == "as_ints" || empty)
          return constant_list<int64_t>(value, [&](const Json& item) { return integer(item); });
        if (kind == "as_int") return constant(c10::List<int64_t>({integer(value)}));
        if (kind == "as_sym_int") return symbolic_integers(Json::array({value}));
        break;
      case c10::TypeKind::FloatType:
        if (kind == "as_floats" || kind == "as_ints" || empty)
          return constant_list<double>(value, [&](const Json& item) { return floating(item); });
        if (kind == "as_float") return constant(c10::List<double>({floating(value)}));
        break;
      case c10::TypeKind::BoolType:
        if (kind == "as_bools" || empty)
          return constant_list<bool>(value, [](const Json& item) { return item.get<bool>(); });
        break;
      default:
        break;
    }
    throw wrong_kind(kind, type);
  }

  int64_t made(const Json& reference, const char* key, Names::Kind kind) {
    const auto name = reference.at(key).get<std::string>();
    const auto number = names_.add(name, kind);
    if (!number)
      throw refused("outputs", "\"" + name + "\"", "a value that is not there before it");
    return static_cast<int64_t>(*number);
  }

  void read_output(const Json& output, const c10::Type& type) {
    what_ = "outputs";
    const auto [kind, value] = tagged(output, where_, place());
    std::vector<int64_t> numbers;
    if (kind == "as_none") {
      numbers.push_back(-1);
    } else if (kind == "as_tensor" && type.kind() == c10::TypeKind::TensorType) {
      numbers.push_back(made(*value, "name", Names::Kind::kTensor));
    } else if (kind == "as_sym_int" && (type.kind() == c10::TypeKind::IntType ||
                                        type.kind() == c10::TypeKind::SymIntType)) {
      numbers.push_back(made(*value, "as_name", Names::Kind::kInteger));
    } else if (kind == "as_tensors" && type.kind() == c10::TypeKind::ListType &&
               value->is_array()) {
      numbers.push_back(-2);  // a list follows
      for (const auto& tensor : *value)
        numbers.push_back(made(tensor, "name", Names::Kind::kTensor));
    } else {
      throw wrong_kind(kind, type);
    }
    node_.outputs.push_back(std::move(numbers));
  }

  const Json& json_;
  Names& names_;
  const at::Device& device_;
  const std::string& where_;
  Node node_;
  std::string what_;  // the argument in hand
};

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
  int64_t result = 0;
  bool over = false;
  if (target == "_operator.mul") {
    over = __builtin_mul_overflow(a, b, &result);
  } else if (target == "_operator.add") {
    over = __builtin_add_overflow(a, b, &result);
  } else if (target == "_operator.sub") {
    over = __builtin_sub_overflow(a, b, &result);
  } else {  // floordiv
    TORCH_CHECK(b != 0, "a division of ", a, " by 0");
    over = a == std::numeric_limits<int64_t>::min() && b == -1;
    if (!over) result = a / b - (a % b != 0 && (a < 0) != (b < 0));
  }
  TORCH_CHECK(!over, a, " and ", b, ", whose result has no 64 bits");
  return result;
}

Stack arguments_of(const Node& node, const Values& values) {
  Stack stack;
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
  return stack;
}

void keep_outputs(const Node& node, Stack& stack, Values& values) {
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const auto& numbers = node.outputs[i];
    if (numbers.at(0) == -2) {
      const auto list = stack.at(i).toTensorVector();
      TORCH_CHECK(list.size() == numbers.size() - 1, list.size(),
                  " tensors, where the graph names ", numbers.size() - 1);
      for (size_t k = 1; k < numbers.size(); ++k)
        values[static_cast<size_t>(numbers[k])] = list[k - 1];
    } else if (numbers.at(0) >= 0) {
      values[static_cast<size_t>(numbers[0])] = std::move(stack.at(i));
    }
  }
}

void run_arithmetic(const Node& node, Values& values) {
  values[static_cast<size_t>(node.outputs.at(0).at(0))] =
      arithmetic(node.target, value_of(node.arguments.at(0), values).toInt(),
                 value_of(node.arguments.at(1), values).toInt());
}

// The same tensor without its memory.
at::Tensor without_memory(const at::Tensor& tensor) {
  auto empty =
      at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(at::kMeta));
  return empty.requires_grad_(tensor.requires_grad());
}

const void* storage_of(const c10::IValue& value) {
  return value.isTensor() && value.toTensor().defined()
             ? value.toTensor().storage().unsafeGetStorageImpl()
             : nullptr;
}

// A run on tensors without memory, for the shapes of all values.
class DryRun {
 public:
  DryRun(const Values& constants, size_t n_values, size_t input_number, const std::string& where)
      : values_(n_values), where_(where) {
    shapes_.sizes.resize(n_values);
    shapes_.types.resize(n_values, at::kFloat);
    shapes_.bytes.resize(n_values);
    for (size_t i = 0; i < constants.size(); ++i) {
      if (!constants[i].isTensor()) continue;
      values_[i] = without_memory(constants[i].toTensor());
      shapes_.sizes[i] = constants[i].toTensor().sizes().vec();
      shapes_.types[i] = constants[i].toTensor().scalar_type();
      if (i != input_number) weights_.insert(storage_of(values_[i]));
    }
  }

  Shapes run(const std::vector<Node>& nodes,
             size_t input_number,
             const std::vector<int64_t>& input) {
    const at::NoGradGuard no_grad;
    values_[input_number] = at::empty(input, at::device(at::kMeta).dtype(at::kFloat));
    shapes_.sizes[input_number] = input;
    images_ = storage_of(values_[input_number]);
    for (const auto& node : nodes) {
      try {
        step(node);
      } catch (const Error&) {
        throw;
      } catch (const c10::Error& e) {
        throw not_run(node, e.what_without_backtrace(), where_);
      } catch (const std::exception& e) {  // numbers that do not fit into a type
        throw not_run(node, e.what(), where_);
      }
      for (const auto& numbers : node.outputs) {
        for (const auto number : numbers) {
          if (number >= 0) keep(node, static_cast<size_t>(number));
        }
      }
    }
    return std::move(shapes_);
  }

 private:
  void step(const Node& node) {
    if (!node.op) return run_arithmetic(node, values_);
    auto stack = arguments_of(node, values_);
    const auto& schema = node.op->schema().arguments();
    for (size_t i = 0; i < schema.size(); ++i) {
      if (stack[i].isDevice()) stack[i] = at::Device(at::kMeta);
      if (is_written(schema[i])) check_written(node, stack[i]);
    }
    size_t n_outputs = 0;
    for (const auto& numbers : node.outputs) n_outputs += numbers.size() - (numbers.at(0) == -2);
    if (const auto objection = objection_to(node.name, stack, n_outputs)) {
      throw bad_input(
          {where_,
           name_of(node) + (objection->argument.empty() ? "" : ", argument " + objection->argument),
           objection->found, objection->expected, kAction});
    }
    call_without_memory(node.name, *node.op, stack);
    keep_outputs(node, stack, values_);
  }

  void check_written(const Node& node, const c10::IValue& value) {
    const auto* const storage = storage_of(value);
    if (storage == images_) shapes_.writes_input = true;
    if (!weights_.contains(storage)) return;
    throw bad_input({where_, name_of(node), "a weight, buffer or constant that it would write into",
                     "a network that is the same after every batch", kAction});
  }

  void keep(const Node& node, size_t number) {
    const auto& value = values_[number];
    if (value.isInt()) return;
    if (!value.isTensor() || !value.toTensor().defined())
      throw not_run(node, "no tensor where the graph names one", where_);
    const auto& tensor = value.toTensor();
    const auto n = tensor.numel();
    if (n < 0 || n > kMostElements) {
      throw bad_input({where_, name_of(node), c10::str("the shape ", tensor.sizes()),
                       "at most 2^36 elements", "Export a smaller network"});
    }
    shapes_.sizes[number] = tensor.sizes().vec();
    shapes_.types[number] = tensor.scalar_type();
    shapes_.bytes[number] =
        n * std::max(static_cast<int64_t>(tensor.element_size()), int64_t{sizeof(float)});
  }

  Values values_;
  Shapes shapes_;
  std::set<const void*> weights_;
  const void* images_ = nullptr;
  const std::string& where_;
};

}  // namespace

std::pair<std::string, const Json*> tagged(const Json& value,
                                           const std::string& where,
                                           const std::string& field) {
  if (!value.is_object() || value.size() != 1) {
    throw bad_input({where, field, value.dump(-1, ' ', true).substr(0, 80),
                     "an object of one member that says what it is", kAction});
  }
  return {value.begin().key(), &value.begin().value()};
}

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
  return NodeReader(json, names, device, where).read();
}

void call(const Node& node, Values& values) {
  if (!node.op) return run_arithmetic(node, values);
  auto stack = arguments_of(node, values);
  node.op->callBoxed(stack);
  keep_outputs(node, stack, values);
}

Shapes shapes_of(const std::vector<Node>& nodes,
                 const Values& constants,
                 size_t n_values,
                 size_t input_number,
                 const std::vector<int64_t>& input,
                 const std::string& where) {
  return DryRun(constants, n_values, input_number, where).run(nodes, input_number, input);
}

Error not_run(const Node& node, const std::string& error, const std::string& where) {
  // Words about Torch's own sources tell a user nothing.
  const bool own = error.find("INTERNAL ASSERT") == std::string::npos &&
                   error.find(".cpp:") == std::string::npos;
  return bad_input({where, name_of(node),
                    own ? error.substr(0, std::min(error.find('\n'), size_t{300}))
                        : "arguments that do not fit together",
                    "a call that the operator can run", kAction});
}

}  // namespace cortiscore::graph
