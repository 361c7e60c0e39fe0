#pragma once
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// Every tensor of a .safetensors file by name, in its own dtype, read one by one.
/// Format: 8 bytes little-endian N, N bytes of JSON {name: {dtype, shape, data_offsets}}, then the
/// data. Offsets need not be aligned; they must lie inside the file, agree with dtype and shape,
/// and not overlap; the header may take 100 MB at most, as in the reference.
/// @throws Error(kBadInput)  anything else
std::map<std::string, at::Tensor> read_safetensors(const std::string& path);

}  // namespace cortiscore
