#include "src/mapping/adam_readout.h"

#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/random.h"
#include "src/mapping/adam.h"

namespace cortiscore {
namespace {

// Quantiles of a standard normal between -2 and 2, scaled so that what is left has variance 1 /
// n_features.
at::Tensor first_weights(int64_t n_features, int64_t n_classes) {
  constexpr double kLower = 0.022750131948179207;    // Phi(-2)
  constexpr double kDeviation = 0.8796256610342398;  // of a standard normal cut off at 2
  const int64_t n = n_features * n_classes;
  const auto u = philox_uniform(0, n);
  const auto z = at::special_ndtri(kLower + u * (1 - 2 * kLower)) / kDeviation;
  return (z / std::sqrt(static_cast<double>(n_features))).view({n_features, n_classes});
}

}  // namespace

at::Tensor adam_readout(const at::Tensor& x,
                        const at::Tensor& labels,
                        int64_t n_classes,
                        const AdamReadoutOptions& options) {
  const int64_t n_bins = x.size(0), n_train = labels.size(0), n_features = x.size(2);
  const auto on = x.options();
  const auto train = x.narrow(1, 0, n_train);
  const auto onehot = at::one_hot(labels, n_classes).to(x.scalar_type());
  Parameter weights(first_weights(n_features, n_classes)
                        .to(on)
                        .expand({n_bins, n_features, n_classes})
                        .contiguous());
  Parameter intercept(at::full({n_bins, 1, n_classes}, options.first_intercept, on));
  auto training =
      at::ones({n_bins, 1, 1}, on);  // 0 once a bin has ended: nothing is asked of the device
  NumpyRandomState random(0);
  int64_t t = 0;
  for (int64_t epoch = 0; epoch < options.max_epochs; ++epoch) {
    const auto order = at::tensor(random.permutation(n_train)).to(x.device());
    at::Tensor loss;
    for (int64_t begin = 0; begin < n_train; begin += options.batch_size) {
      const auto rows = order.narrow(0, begin, std::min(options.batch_size, n_train - begin));
      const auto batch = train.index_select(1, rows);
      const auto wanted = onehot.index_select(0, rows);
      const auto log_p = at::log_softmax(at::baddbmm(intercept.value, batch, weights.value), -1);
      if (begin + options.batch_size >= n_train) {  // the last batch decides about the next epoch
        loss = -(log_p * wanted).sum(-1).mean(-1) +
               options.penalty / 2 *
                   (weights.value.square().sum({1, 2}) + intercept.value.square().sum({1, 2}));
      }
      const auto residual = (log_p.exp() - wanted) / static_cast<double>(rows.size(0));
      ++t;
      const double rate = options.learning_rate * adam_rate(t);
      const auto w_gradient =
          at::baddbmm(weights.value, batch.transpose(1, 2), residual, options.penalty);
      const auto b_gradient = residual.sum(1, true) + options.penalty * intercept.value;
      weights.step(w_gradient, rate * training);
      intercept.step(b_gradient, rate * training);
    }
    training = training * (loss >= options.enough).to(x.scalar_type()).view({n_bins, 1, 1});
  }
  const auto test = x.narrow(1, n_train, x.size(1) - n_train);
  return at::softmax(at::baddbmm(intercept.value, test, weights.value).to(at::kDouble), -1);
}

}  // namespace cortiscore
