#include "src/data/safetensors.h"

#include <cstring>
#include <vector>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/data/arrays.h"

namespace cortiscore {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;

const std::map<std::string, at::ScalarType>& types() {
  static const std::map<std::string, at::ScalarType> known = {
      {"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf},  {"BF16", at::kBFloat16},
      {"I64", at::kLong},   {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},
      {"U8", at::kByte},    {"BOOL", at::kBool}};
  return known;
}

Error damaged(const std::string& path,
              const std::string& field,
              const std::string& found,
              const std::string& expected) {
  return bad_input({path, field, found, expected, "Write or copy the file again"});
}

// The product of a shape whose entries come from the file; nothing where it does not fit into `limit`.
uint64_t count_of(const std::vector<uint64_t>& shape, uint64_t limit, bool& fits) {
  uint64_t count = 1;
  for (const auto size : shape) {
    if (size != 0 && count > limit / size) {
      fits = false;
      return 0;
    }
    count *= size;
  }
  return count;
}

}  // namespace

std::map<std::string, at::Tensor> read_safetensors(const std::string& path) {
  const auto bytes = read_file(path);
  uint64_t length = 0;
  if (bytes.size() >= sizeof length) std::memcpy(&length, bytes.data(), sizeof length);
  if (bytes.size() < sizeof length || length > kMaxHeader ||
      length > bytes.size() - sizeof length) {
    throw damaged(path, "header length", std::to_string(length),
                  "at most the file's " + std::to_string(bytes.size()) + " bytes and 100 MB");
  }
  const auto* data = bytes.data() + sizeof length + length;
  const uint64_t size = bytes.size() - sizeof length - length;
  std::map<std::string, at::Tensor> tensors;
  std::map<uint64_t, uint64_t> taken;  // begin -> end
  std::string name;
  try {
    const auto header =
        nlohmann::json::parse(bytes.data() + sizeof length, bytes.data() + sizeof length + length);
    for (const auto& [key, entry] : header.items()) {
      name = key;
      if (name == "__metadata__") continue;
      const auto dtype = entry.at("dtype").get<std::string>();
      const auto type = types().find(dtype);
      if (type == types().end())
        throw damaged(path, name + ".dtype", "\"" + dtype + "\"",
                      "F64, F32, F16, BF16, an integer or BOOL");
      const auto shape = entry.at("shape").get<std::vector<uint64_t>>();
      const auto offsets = entry.at("data_offsets").get<std::vector<uint64_t>>();
      bool fits = offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= size;
      const auto count = count_of(shape, size, fits);
      if (!fits || count * at::elementSize(type->second) != offsets[1] - offsets[0]) {
        throw damaged(path, name + ".data_offsets", entry.at("data_offsets").dump(),
                      "as many bytes as " + dtype + " " + entry.at("shape").dump() +
                          " takes, inside " + std::to_string(size) + " bytes of data");
      }
      if (count > 0 && !taken.emplace(offsets[0], offsets[1]).second)
        throw damaged(path, name + ".data_offsets", "bytes of another tensor", "its own");
      auto tensor = at::empty(std::vector<int64_t>(shape.begin(), shape.end()), type->second);
      if (count > 0)
        std::memcpy(tensor.mutable_data_ptr(), data + offsets[0], offsets[1] - offsets[0]);
      tensors.emplace(name, std::move(tensor));
    }
  } catch (const nlohmann::json::exception& e) {
    throw damaged(path, "header" + (name.empty() ? "" : " of " + name), e.what(),
                  "{name: {dtype, shape, data_offsets}}");
  }
  uint64_t end = 0;
  for (const auto& [from, to] : taken) {
    if (from < end) throw damaged(path, "data_offsets", "tensors that overlap", "disjoint ones");
    end = to;
  }
  return tensors;
}

}  // namespace cortiscore
