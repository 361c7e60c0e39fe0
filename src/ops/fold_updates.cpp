#include "src/ops/fold_updates.h"

#include <ATen/ATen.h>

#include "src/core/caller.h"
#include "src/core/parallel.h"
#include "src/ops/fused.h"
#include "src/ops/loops.h"

namespace cortiscore {

void downdate_definition(at::Tensor& s,
                         const at::Tensor& c,
                         const at::Tensor& x_mean,
                         const at::Tensor& y_mean,
                         const at::Tensor& n) {
  parallel_for(
      s.size(0),
      [&](int64_t f) {
        auto item = s.select(0, f);
        item.neg_().add_(c);
        item.addr_(x_mean.select(0, f) * n.select(0, f), y_mean.select(0, f), 1, -1);
      },
      threads_for(s));
}

void downdate(at::Tensor& s,
              const at::Tensor& c,
              const at::Tensor& x_mean,
              const at::Tensor& y_mean,
              const at::Tensor& n) {
  if (fused::downdate(s, c, x_mean, y_mean, n)) return;
  if (!s.is_cpu()) {
    downdate_definition(s, c, x_mean, y_mean, n);
    return;
  }
  const int64_t p = s.size(1), m = s.size(2);
  parallel_for(s.size(0), [&](int64_t f) {
    loops::downdate(s.mutable_data_ptr<double>() + f * p * m, c.const_data_ptr<double>(),
                    x_mean.const_data_ptr<double>() + f * p,
                    y_mean.const_data_ptr<double>() + f * m, n.const_data_ptr<double>()[f], p, m);
  });
}

void rank2_update_definition(at::Tensor& g, const at::Tensor& u, const at::Tensor& h) {
  parallel_for(
      g.size(0),
      [&](int64_t f) {
        g.select(0, f)
            .addr_(u.select(0, f), h.select(0, f), 1, -1)
            .addr_(h.select(0, f), u.select(0, f), 1, -1);
      },
      threads_for(g));
}

void rank2_update(at::Tensor& g, const at::Tensor& u, const at::Tensor& h) {
  if (!fused::rank2_update(g, u, h)) rank2_update_definition(g, u, h);
}

}  // namespace cortiscore
