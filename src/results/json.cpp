#include "src/results/json.h"

#include <cstring>

#include <ATen/core/Tensor.h>
#include <openssl/evp.h>

namespace cortiscore {

std::string packed(const std::vector<double>& values) {
  const std::vector<float> narrow(values.begin(), values.end());
  const auto size = narrow.size() * sizeof(float);
  std::string text((size + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(narrow.data()),
                                     static_cast<int>(size));
  text.resize(static_cast<size_t>(length));
  return text;
}

std::vector<double> unpacked(const std::string& text) {
  std::string bytes(text.size() / 4 * 3 + 1, '\0');
  const auto last = text.find_last_not_of('=');
  const size_t padding = text.size() - (last == std::string::npos ? 0 : last + 1);
  if (text.size() % 4 != 0 || padding > 2) return {};
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return {};
  const auto size = static_cast<size_t>(length) - padding;  // without what padding stands for
  if (size % sizeof(float) != 0) return {};
  std::vector<float> narrow(size / sizeof(float));
  std::memcpy(narrow.data(), bytes.data(), size);
  return {narrow.begin(), narrow.end()};
}

Json nested(const at::Tensor& tensor) {
  Json out = Json::array();
  if (tensor.dim() > 1) {
    for (int64_t i = 0; i < tensor.size(0); ++i) out.push_back(nested(tensor.select(0, i)));
    return out;
  }
  const auto dense = tensor.contiguous();
  for (int64_t i = 0; i < dense.numel(); ++i) {
    if (dense.scalar_type() == at::kLong)
      out.push_back(dense.const_data_ptr<int64_t>()[i]);
    else if (dense.scalar_type() == at::kBool)
      out.push_back(dense.const_data_ptr<bool>()[i]);
    else
      out.push_back(number(dense.const_data_ptr<double>()[i]));
  }
  return out;
}

}  // namespace cortiscore
