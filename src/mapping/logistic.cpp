#include "src/mapping/logistic.h"

#include <utility>

#include <ATen/ATen.h>

#include "src/linalg/gram.h"

namespace cortiscore {
namespace {

// Parameters as one matrix [k, d + 1]: weights, then the intercept, which is not penalised.
struct Problem {
  at::Tensor x;        // [n, d + 1], last column ones
  at::Tensor onehot;   // [n, k]
  at::Tensor penalty;  // [d + 1]: 1 / C, 0 for the intercept

  at::Tensor probabilities(const at::Tensor& theta) const {
    return at::softmax(at::mm(x, theta.t()), 1);
  }
  at::Tensor loss(const at::Tensor& theta) const {
    const auto cross_entropy = -(at::log_softmax(at::mm(x, theta.t()), 1) * onehot).sum();
    return cross_entropy + 0.5 * (theta.square() * penalty).sum();
  }
  at::Tensor gradient(const at::Tensor& theta, const at::Tensor& p) const {
    return at::mm((p - onehot).t(), x) + theta * penalty;
  }
  at::Tensor curvature(const at::Tensor& direction, const at::Tensor& p) const {
    const auto z = at::mm(x, direction.t());
    const auto weighted = p * (z - (p * z).sum(1, true));
    return at::mm(weighted.t(), x) + direction * penalty;
  }
};

// Solves H s = -g. The intercepts share one flat direction (adding a constant to all); conjugate
// gradients never leaves the span of g, which is orthogonal to it.
at::Tensor newton_step(const Problem& problem, const at::Tensor& p, const at::Tensor& g) {
  auto s = at::zeros_like(g);
  auto r = -g;
  auto d = r.clone();
  auto rr = r.square().sum();
  for (int64_t i = 0; i < 250; ++i) {
    const auto hd = problem.curvature(d, p);
    const auto alpha = at::where(rr > 0, rr / (d * hd).sum(), 0.0);
    s = s + alpha * d;
    r = r - alpha * hd;
    const auto next = r.square().sum();
    d = r + at::where(rr > 0, next / rr, 0.0) * d;
    rr = next;
  }
  return at::nan_to_num(s);
}

}  // namespace

at::Tensor LogisticReadout::probabilities(const at::Tensor& x) const {
  return at::softmax(at::mm(x, weights.t()) + intercept, 1);
}

LogisticReadout fit_logistic(const at::Tensor& x,
                             const at::Tensor& labels,
                             int64_t n_classes,
                             double c) {
  const auto options = x.options();
  Problem problem{at::cat({x, at::ones({x.size(0), 1}, options)}, 1),
                  at::one_hot(labels, n_classes).to(at::kDouble),
                  at::full({x.size(1) + 1}, 1 / c, options)};
  problem.penalty.narrow(0, x.size(1), 1).zero_();
  auto theta = at::zeros({n_classes, x.size(1) + 1}, options);
  LogisticReadout readout;
  // A fixed number of steps, each the best of three lengths: nothing has to be asked of the device.
  // The loss is strictly convex but for the intercepts' common shift; from zero, Newton is
  // quadratic within a few steps.
  constexpr int64_t kSteps = 12;
  for (int64_t i = 0; i < kSteps; ++i) {
    const auto p = problem.probabilities(theta);
    const auto step = newton_step(problem, p, problem.gradient(theta, p));
    std::vector<at::Tensor> candidates, losses;
    for (const double length : {1.0, 0.5, 0.125, 0.0}) {
      candidates.push_back(theta + length * step);
      losses.push_back(problem.loss(candidates.back()));
    }
    theta =
        at::stack(candidates).index_select(0, at::stack(losses).argmin().unsqueeze(0)).squeeze(0);
    ++readout.iterations;
  }
  readout.weights = theta.narrow(1, 0, x.size(1));
  readout.intercept = theta.select(1, x.size(1));
  return readout;
}

at::Tensor standardise(const at::Tensor& x, int64_t n_fit) {
  const auto fit = x.narrow(0, 0, n_fit).to(at::kDouble);
  const auto mean = fit.mean(0);
  const auto deviation = (fit - mean).square().mean(0).sqrt();
  return (x.to(at::kDouble) - mean) / at::where(deviation > 0, deviation, 1.0);
}

at::Tensor FittedReadout::probabilities(const at::Tensor& rows) const {
  return readout.probabilities(scaled.index_select(0, rows));
}

FittedReadout fit_readout(const at::Tensor& x,
                          const at::Tensor& labels,
                          int64_t n_classes,
                          double c) {
  const int64_t n_fit = labels.size(0);
  auto scaled = standardise(x, n_fit);
  // The readout sees features through inner products alone (the intercept takes the shift), so
  // coordinates serve.
  if (scaled.size(1) > scaled.size(0)) scaled = isometric_coordinates(scaled);
  auto readout = fit_logistic(scaled.narrow(0, 0, n_fit), labels, n_classes, c);
  return {std::move(readout), std::move(scaled)};
}

}  // namespace cortiscore
