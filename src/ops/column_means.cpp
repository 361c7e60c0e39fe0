#include "src/ops/column_means.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/ops/loops.h"

namespace cortiscore {

at::Tensor less_column_means(const at::Tensor& values) {
  if (!values.is_cpu()) {
    const auto columns = values.to(at::kDouble);
    return columns - columns.mean(0);
  }
  constexpr int64_t kColumns = 256;
  const int64_t n = values.size(0), p = values.size(1);
  const auto wide = values.scalar_type() == at::kFloat ? values : values.to(at::kDouble);
  const auto x = wide.stride(1) == 1 ? wide : wide.contiguous();
  auto out = at::empty({n, p}, values.options().dtype(at::kDouble));
  double* const to = out.mutable_data_ptr<double>();
  parallel_for((p + kColumns - 1) / kColumns, [&](int64_t i) {
    const int64_t begin = i * kColumns, width = std::min(kColumns, p - begin);
    if (x.scalar_type() == at::kFloat) {
      loops::centre_columns(x.const_data_ptr<float>() + begin, x.stride(0), n, width, to + begin,
                            p);
    } else {
      loops::centre_columns(x.const_data_ptr<double>() + begin, x.stride(0), n, width, to + begin,
                            p);
    }
  });
  return out;
}

}  // namespace cortiscore
