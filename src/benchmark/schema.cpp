#include "src/benchmark/schema.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "cortiscore/error.h"
#include "src/core/layout.h"
#include "src/data/json_file.h"

namespace cortiscore {
namespace {

using Json = nlohmann::json;

struct Fault {
  std::string field, found, expected;
};
using Found = std::optional<Fault>;

Found check(const Json& value, const Json& schema, const std::string& field);

std::string shortened(const Json& value) {
  constexpr size_t kMost = 80;
  const auto text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= kMost ? text : text.substr(0, kMost) + "...";
}

std::string below(const std::string& field, const std::string& key) {
  return field.empty() ? key : field + "." + key;
}

bool is_of(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  if (type != "integer") return false;
  const bool whole =
      value.is_number_float() &&
      value.get<double>() ==
          static_cast<double>(static_cast<int64_t>(std::clamp(value.get<double>(), -9e18, 9e18)));
  return value.is_number_integer() || whole;
}

std::string one_of(const Json& choices) {
  std::string text;
  for (const auto& choice : choices) text += (text.empty() ? "" : ", ") + shortened(choice);
  return (choices.size() > 1 ? "one of " : "") + text;
}

Found check_type(const Json& value, const Json& type, const std::string& field) {
  const auto types = type.is_array() ? type : Json::array({type});
  std::string wanted;
  for (const auto& one : types) {
    if (is_of(value, one.get<std::string>())) return std::nullopt;
    wanted += (wanted.empty() ? "" : " or ") + one.get<std::string>();
  }
  return Fault{field, shortened(value), "JSON's " + wanted};
}

Found check_number(const Json& value, const Json& schema, const std::string& field) {
  const auto number = value.get<double>();
  const std::map<std::string, std::pair<std::string, bool (*)(double, double)>> bounds = {
      {"minimum", {"at least ", [](double n, double bound) { return n >= bound; }}},
      {"maximum", {"at most ", [](double n, double bound) { return n <= bound; }}},
      {"exclusiveMinimum", {"more than ", [](double n, double bound) { return n > bound; }}},
      {"exclusiveMaximum", {"less than ", [](double n, double bound) { return n < bound; }}}};
  for (const auto& [key, bound] : bounds) {
    if (schema.contains(key) && !bound.second(number, schema.at(key).get<double>()))
      return Fault{field, shortened(value), bound.first + shortened(schema.at(key))};
  }
  return std::nullopt;
}

Found check_count(size_t n, const Json& schema, const std::string& of, const std::string& field) {
  const auto what = of == "Items" ? " entries" : " fields";
  if (schema.contains("min" + of) && n < schema.at("min" + of).get<size_t>())
    return Fault{field, std::to_string(n) + what, "at least " + shortened(schema.at("min" + of))};
  if (schema.contains("max" + of) && n > schema.at("max" + of).get<size_t>())
    return Fault{field, std::to_string(n) + what, "at most " + shortened(schema.at("max" + of))};
  return std::nullopt;
}

Found check_object(const Json& value, const Json& schema, const std::string& field) {
  if (auto fault = check_count(value.size(), schema, "Properties", field)) return fault;
  const auto required = schema.value("required", Json::array());
  for (const auto& key : required) {
    if (!value.contains(key.get<std::string>()))
      return Fault{below(field, key.get<std::string>()), "no such field", "it"};
  }
  const auto known = schema.value("properties", Json::object());
  for (const auto& [key, inner] : value.items()) {
    if (known.contains(key)) {
      if (auto fault = check(inner, known.at(key), below(field, key))) return fault;
    } else if (schema.contains("additionalProperties")) {
      const auto& others = schema.at("additionalProperties");
      if (others == Json(false)) {
        std::string names;
        for (const auto& one : known.items()) names += (names.empty() ? "" : ", ") + one.key();
        return Fault{below(field, key), "a field of this name", "one of " + names};
      }
      if (others.is_object())
        if (auto fault = check(inner, others, below(field, key))) return fault;
    }
  }
  return std::nullopt;
}

// The schemas that one holds beside its own words.
Found check_combined(const Json& value, const Json& schema, const std::string& field) {
  for (const auto& one : schema.value("allOf", Json::array()))
    if (auto fault = check(value, one, field)) return fault;
  if (schema.contains("if")) {
    const auto* branch = check(value, schema.at("if"), field) ? "else" : "then";
    if (schema.contains(branch))
      if (auto fault = check(value, schema.at(branch), field)) return fault;
  }
  for (const auto* key : {"anyOf", "oneOf"}) {
    if (!schema.contains(key)) continue;
    size_t fitting = 0;
    Found last;
    for (const auto& one : schema.at(key)) {
      auto fault = check(value, one, field);
      fitting += !fault;
      if (fault) last = std::move(fault);
    }
    if (fitting == 0) return last;
    if (fitting > 1 && key == std::string("oneOf"))
      return Fault{field, shortened(value), "one form of several"};
  }
  return std::nullopt;
}

Found check(const Json& value, const Json& schema, const std::string& field) {
  if (schema.is_boolean()) {
    if (schema.get<bool>()) return std::nullopt;
    return Fault{field, shortened(value), "no such field"};
  }
  if (schema.contains("type"))
    if (auto fault = check_type(value, schema.at("type"), field)) return fault;
  if (schema.contains("const") && value != schema.at("const"))
    return Fault{field, shortened(value), shortened(schema.at("const"))};
  if (schema.contains("enum")) {
    const auto& choices = schema.at("enum");
    if (std::find(choices.begin(), choices.end(), value) == choices.end())
      return Fault{field, shortened(value), one_of(choices)};
  }
  if (value.is_number())
    if (auto fault = check_number(value, schema, field)) return fault;
  if (value.is_object())
    if (auto fault = check_object(value, schema, field)) return fault;
  if (value.is_array()) {
    if (auto fault = check_count(value.size(), schema, "Items", field)) return fault;
    for (size_t i = 0; schema.contains("items") && i < value.size(); ++i)
      if (auto fault = check(value[i], schema.at("items"), below(field, std::to_string(i))))
        return fault;
  }
  return check_combined(value, schema, field);
}

// A word that a schema has and this does not know would be a check that nobody makes.
void check_words(const Json& schema, const std::string& path) {
  static const std::set<std::string> known = {"$schema",
                                              "title",
                                              "description",
                                              "type",
                                              "properties",
                                              "required",
                                              "enum",
                                              "const",
                                              "additionalProperties",
                                              "minimum",
                                              "maximum",
                                              "exclusiveMinimum",
                                              "exclusiveMaximum",
                                              "items",
                                              "minItems",
                                              "maxItems",
                                              "minProperties",
                                              "maxProperties",
                                              "if",
                                              "then",
                                              "else",
                                              "anyOf",
                                              "oneOf",
                                              "allOf"};
  if (!schema.is_object()) return;
  for (const auto& [key, inner] : schema.items()) {
    if (!known.contains(key))
      throw Error(ErrorKind::kInternal, path + ": no check for \"" + key + "\"");
    if (key == "properties")
      for (const auto& one : inner) check_words(one, path);
    else if (inner.is_array())
      for (const auto& one : inner) check_words(one, path);
    else if (key != "const")
      check_words(inner, path);
  }
}

const Json& schema_of(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, Json> read;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = read.find(name);
  if (found != read.end()) return found->second;
  const auto path = manifest_folder() + "/" + name + ".schema.json";
  auto schema = read_json(path, "a schema");
  check_words(schema, path);
  return read.emplace(name, std::move(schema)).first->second;
}

}  // namespace

void check_schema(const Json& document, const std::string& name, const std::string& path) {
  if (const auto fault = check(document, schema_of(name), ""))
    throw bad_input({path, fault->field, fault->found, fault->expected, "See docs/formats.md"});
}

}  // namespace cortiscore
