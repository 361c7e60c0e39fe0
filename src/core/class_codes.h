#pragma once
#include <cstdint>
#include <map>
#include <vector>

namespace cortiscore {

/// numpy.unique(values, return_inverse=True)[1]: the place of each value among the sorted distinct
/// ones.
template <typename T>
std::vector<int64_t> class_codes(const std::vector<T>& values) {
  std::map<T, int64_t> code;
  for (const auto& value : values) code[value] = 0;
  int64_t next = 0;
  for (auto& entry : code) entry.second = next++;
  std::vector<int64_t> codes;
  for (const auto& value : values) codes.push_back(code[value]);
  return codes;
}

}  // namespace cortiscore
