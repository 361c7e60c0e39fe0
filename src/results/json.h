#pragma once
#include <cmath>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>

namespace cortiscore {

using Json = nlohmann::json;

/// A number, or null where it is not finite: JSON has no NaN.
inline Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

inline Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const auto v : values) out.push_back(number(v));
  return out;
}

/// Numbers as records pack them (`draws`, `per_neuroid`): float32, little-endian, in base64.
std::string packed(const std::vector<double>& values);
/// What packed() was given, rounded to float32; empty where the text is no such packing.
std::vector<double> unpacked(const std::string& text);

/// Nested lists of a CPU tensor of 1 or 2 dims.
Json nested(const at::Tensor& tensor);

}  // namespace cortiscore
