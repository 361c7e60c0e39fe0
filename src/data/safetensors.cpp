#include "src/data/safetensors.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/core/json_fault.h"
#include "src/data/arrays.h"

namespace cortiscore {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;

const std::map<std::string, at::ScalarType>& types() {
  static const std::map<std::string, at::ScalarType> known = {{"F64", at::kDouble},
                                                              {"F32", at::kFloat},
                                                              {"F16", at::kHalf},
                                                              {"BF16", at::kBFloat16},
                                                              {"I64", at::kLong},
                                                              {"I32", at::kInt},
                                                              {"I16", at::kShort},
                                                              {"I8", at::kChar},
                                                              {"U64", at::kUInt64},
                                                              {"U32", at::kUInt32},
                                                              {"U16", at::kUInt16},
                                                              {"U8", at::kByte},
                                                              {"BOOL", at::kBool},
                                                              {"F8_E4M3", at::kFloat8_e4m3fn},
                                                              {"F8_E5M2", at::kFloat8_e5m2},
                                                              {"C64", at::kComplexFloat}};
  return known;
}

Error damaged(const std::string& path,
              const std::string& field,
              const std::string& found,
              const std::string& expected) {
  return bad_input({path, field, found, expected, "Write or copy the file again"});
}

// The product of a shape whose entries come from the file; nothing where it does not fit into
// `limit`.
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
  const auto all = static_cast<uint64_t>(size_of(path, "a .safetensors file"));
  std::ifstream file(path, std::ios::binary);
  uint64_t length = 0;
  const bool begun = static_cast<bool>(file.read(reinterpret_cast<char*>(&length), sizeof length));
  if (!begun || length > kMaxHeader || length > all - sizeof length) {
    throw damaged(path, "header length", std::to_string(length),
                  "at most the file's " + std::to_string(all) + " bytes and 100 MB");
  }
  std::string text(length, 0);
  file.read(text.data(), static_cast<std::streamsize>(length));
  const uint64_t start = sizeof length + length, size = all - start;
  std::map<std::string, at::Tensor> tensors;
  std::map<uint64_t, uint64_t> taken;  // begin -> end
  std::string name;
  try {
    const auto header = nlohmann::json::parse(text);
    for (const auto& [key, entry] : header.items()) {
      name = key;
      if (name == "__metadata__") continue;
      const auto dtype = entry.at("dtype").get<std::string>();
      const auto type = types().find(dtype);
      if (type == types().end())
        throw damaged(path, name + ".dtype", "\"" + dtype + "\"",
                      "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, C64, an integer or BOOL");
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
      if (count > 0) {
        file.seekg(static_cast<std::streamoff>(start + offsets[0]));
        if (!file.read(static_cast<char*>(tensor.mutable_data_ptr()),
                       static_cast<std::streamsize>(offsets[1] - offsets[0])))
          throw damaged(path, name, "bytes that cannot be read", "a whole file");
      }
      tensors.emplace(name, std::move(tensor));
    }
  } catch (const nlohmann::json::exception& e) {
    throw damaged(path, "header" + (name.empty() ? "" : " of " + name), json_fault(e),
                  "{name: {dtype, shape, data_offsets}}");
  }
  uint64_t end = 0;
  for (const auto& [from, to] : taken) {
    if (from < end) throw damaged(path, "data_offsets", "tensors that overlap", "disjoint ones");
    if (from > end) break;
    end = to;
  }
  // The format has no other bytes; Python's safetensors refuses them as well.
  if (end != size) {
    throw damaged(path, "data_offsets",
                  std::to_string(size) + " bytes of data, of which those from " +
                      std::to_string(end) + " on are no tensor's",
                  "tensors that follow each other up to the file's end");
  }
  return tensors;
}

}  // namespace cortiscore
