#include "src/mapping/mask.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/core/random.h"
#include "src/core/stop.h"
#include "src/mapping/adam.h"
#include "src/mapping/folds.h"

namespace cortiscore {
namespace {

at::Tensor normals(int64_t first, int64_t rows, int64_t columns, const at::TensorOptions& on) {
  return at::special_ndtri(philox_uniform(first, rows * columns)).view({rows, columns}).to(on);
}

// [n, height * width], each convolved with the Laplacian, which is symmetric.
at::Tensor laplacian(const at::Tensor& masks, int64_t height, int64_t width) {
  const auto grid = masks.view({-1, height, width});
  auto out = 4 * grid;
  out.narrow(1, 1, height - 1).sub_(grid.narrow(1, 0, height - 1));
  out.narrow(1, 0, height - 1).sub_(grid.narrow(1, 1, height - 1));
  out.narrow(2, 1, width - 1).sub_(grid.narrow(2, 0, width - 1));
  out.narrow(2, 0, width - 1).sub_(grid.narrow(2, 1, width - 1));
  return out.view({masks.size(0), -1});
}

at::Tensor norm_of_rows(const at::Tensor& rows) {
  return rows.square().sum(1, true).sqrt().clamp_min(1e-12);
}

struct Mask {
  Parameter s, d, b;  // [targets, places], [targets, channels], [targets]
  int64_t channels, height, width;

  // [rows, channels, targets]: what every neuroid's mask lets through.
  at::Tensor through(const at::Tensor& x) const {
    return at::mm(x.reshape({x.size(0) * channels, height * width}), s.value.t())
        .view({x.size(0), channels, -1});
  }
  at::Tensor mixed(const at::Tensor& seen) const { return (seen * d.value.t()).sum(1) + b.value; }
};

// @return the batch's mean squared error, over neuroids
at::Tensor step(Mask& mask,
                const at::Tensor& x,
                const at::Tensor& y,
                const MaskOptions& options,
                const at::Tensor& rate) {
  const auto seen = mask.through(x);
  const auto residual = mask.mixed(seen) - y;
  const auto slope = residual * (2.0 / static_cast<double>(x.size(0)));  // [rows, targets]
  const auto through_d = (slope.unsqueeze(1) * mask.d.value.t()).reshape({-1, slope.size(1)});
  auto s_gradient = at::mm(through_d.t(), x.reshape({-1, mask.height * mask.width})) +
                    2 * options.spatial_penalty * mask.s.value;
  if (mask.height * mask.width > 1) {
    const auto curved = laplacian(mask.s.value, mask.height, mask.width);
    s_gradient +=
        options.spatial_penalty * laplacian(curved / norm_of_rows(curved), mask.height, mask.width);
  }
  const auto d_gradient =
      (seen * slope.unsqueeze(1)).sum(0).t() + 2 * options.channel_penalty * mask.d.value;
  const auto b_gradient = slope.sum(0);
  mask.s.step(s_gradient, rate);
  mask.d.step(d_gradient, rate);
  mask.b.step(b_gradient, rate);
  return residual.square().mean();
}

at::Tensor fit_split(const at::Tensor& x,
                     const at::Tensor& y,
                     const Split& split,
                     const MaskOptions& options) {
  const auto n = static_cast<int64_t>(split.train.size());
  const int64_t places = options.height * options.width, n_targets = y.size(1);
  const auto trained = index_tensor(split.train, x);
  const auto on = y.options();
  Mask mask{Parameter(normals(0, n_targets, places, on)),
            Parameter(normals(n_targets * places, n_targets, options.channels, on)),
            Parameter(y.index_select(0, trained).mean(0)),
            options.channels,
            options.height,
            options.width};
  auto training = at::ones({}, on);  // 0 once it has ended: nothing is asked of the device
  NumpyRandomState random(0);
  int64_t t = 0;
  for (int64_t epoch = 0; epoch < options.max_epochs; ++epoch) {
    check_stop();
    const auto order = at::tensor(random.permutation(n)).to(x.device());
    const double decay = std::pow(0.1, epoch / options.decay_epochs);
    auto sum = at::zeros({}, on);
    int64_t batches = 0;
    for (int64_t begin = 0; begin < n; begin += options.batch_size) {
      if (begin > 0 && begin + options.batch_size > n) break;
      const auto rows =
          trained.index_select(0, order.narrow(0, begin, std::min(options.batch_size, n - begin)));
      ++t;
      const auto rate = training * (options.learning_rate * decay * adam_rate(t));
      sum += step(mask, x.index_select(0, rows), y.index_select(0, rows), options, rate);
      ++batches;
    }
    training.mul_(
        (sum / static_cast<double>(batches) >= options.enough).to(training.scalar_type()));
  }
  std::vector<at::Tensor> predicted;
  for (size_t begin = 0; begin < split.test.size(); begin += 64) {
    const std::vector<int64_t> rows(
        split.test.begin() + static_cast<std::ptrdiff_t>(begin),
        split.test.begin() + static_cast<std::ptrdiff_t>(std::min(begin + 64, split.test.size())));
    predicted.push_back(
        mask.mixed(mask.through(x.index_select(0, index_tensor(rows, x)))).to(at::kDouble));
  }
  return at::cat(predicted);
}

}  // namespace

std::vector<at::Tensor> mask_cross_validate(const at::Tensor& x,
                                            const at::Tensor& y,
                                            const Splits& splits,
                                            const MaskOptions& options) {
  auto whole = options;
  if (whole.channels == 0) {
    whole.channels = x.size(1);
    whole.height = whole.width = 1;
  }
  TORCH_CHECK_VALUE(whole.channels * whole.height * whole.width == x.size(1),
                    "mask_cross_validate: ", x.size(1), " features are not ", whole.channels, " x ",
                    whole.height, " x ", whole.width);
  const auto features = x.to(at::kFloat), targets = y.to(at::kFloat);
  std::vector<at::Tensor> predictions(splits.size());
  const auto one = [&](int64_t s) {
    const auto place = static_cast<size_t>(s);
    predictions[place] = fit_split(features, targets, splits[place], whole);
  };
  if (x.is_cpu()) {
    parallel_for(static_cast<int64_t>(splits.size()), one);
  } else {
    for (int64_t s = 0; s < static_cast<int64_t>(splits.size()); ++s) one(s);
  }
  return predictions;
}

}  // namespace cortiscore
