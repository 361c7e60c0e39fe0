#include "src/results/json.h"

#include <ATen/ATen.h>

namespace cortiscore {

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
