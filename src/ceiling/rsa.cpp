#include "src/ceiling/rsa.h"

#include <ATen/ATen.h>

#include "src/core/stage.h"
#include "src/ops/average_ranks.h"

namespace cortiscore {

namespace {

// Rows by their root mean square; rows of zeros stay.
at::Tensor over_scale(const at::Tensor& rows) {
  const auto scale = rows.square().mean(1, true).sqrt();
  return rows / at::where(scale > 0, scale, at::ones_like(scale));
}

}  // namespace

at::Tensor for_pooling(const at::Tensor& rdms, RdmComparison comparison, RdmPooling pooling) {
  if (pooling == RdmPooling::kAsTheyAre) return rdms;
  switch (comparison) {
    case RdmComparison::kSpearman:
    case RdmComparison::kKendall:
    case RdmComparison::kSpearmanA:
      return average_ranks(rdms);
    case RdmComparison::kPearson: {
      const auto centred = rdms - rdms.mean(1, true);
      return over_scale(centred);
    }
    case RdmComparison::kCosine:
      return over_scale(rdms);
    case RdmComparison::kCka:
      break;
  }
  return rdms;
}

at::Tensor means_of_others(const at::Tensor& rdms) {
  const int64_t n = rdms.size(0);
  std::vector<at::Tensor> means;
  for (int64_t s = 0; s < n; ++s)
    means.push_back(at::cat({rdms.narrow(0, 0, s), rdms.narrow(0, s + 1, n - s - 1)}).mean(0));
  return at::stack(means);
}

RsaBounds rsa_bounds(const at::Tensor& rdms, RdmComparison comparison, RdmPooling pooling) {
  const Stage of_ceiling(StageName::kCeiling);
  TORCH_CHECK_VALUE(rdms.dim() == 2 && rdms.size(0) > 1,
                    "rsa_bounds: need [2 or more, pairs], got ", rdms.sizes());
  const auto n = static_cast<double>(rdms.size(0));
  const auto scaled = for_pooling(rdms, comparison, pooling);
  const auto sum = scaled.sum(0);
  const auto others = means_of_others(scaled);
  auto upper = at::empty({rdms.size(0)}, rdms.options());
  auto lower = at::empty_like(upper);
  for (int64_t s = 0; s < rdms.size(0); ++s) {
    const auto one = rdms.narrow(0, s, 1);
    upper.narrow(0, s, 1).copy_(compare_rdms(one, (sum / n).unsqueeze(0), comparison).squeeze(0));
    lower.narrow(0, s, 1).copy_(compare_rdms(one, others.narrow(0, s, 1), comparison).squeeze(0));
  }
  return {upper, lower};
}

}  // namespace cortiscore
