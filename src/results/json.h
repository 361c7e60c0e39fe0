#pragma once
#include <cmath>
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

/// Nested lists of a CPU tensor of 1 or 2 dims.
Json nested(const at::Tensor& tensor);

}  // namespace cortiscore
