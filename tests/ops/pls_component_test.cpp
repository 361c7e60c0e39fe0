#include "src/ops/pls_component.h"

#include "tests/support/devices.h"

namespace cortiscore {
namespace {

class PlsComponent : public test::OnDevice {};

struct Shape {
  int64_t folds, p, m;
};

// Train rows' sums that belong together, and room for `n_components`.
PlsLoop loop_of(const Shape& shape, int64_t n_components, at::Tensor& gram) {
  const auto x = at::randn({shape.folds, 2 * shape.p, shape.p}, at::kDouble) *
                 at::arange(1, shape.p + 1, at::kDouble).pow(-0.5);
  const auto y = at::bmm(x, at::randn({shape.folds, shape.p, shape.m}, at::kDouble)) +
                 at::randn({shape.folds, 2 * shape.p, shape.m}, at::kDouble);
  gram = at::bmm(x.transpose(1, 2), x);
  PlsLoop loop;
  loop.s = at::bmm(y.transpose(1, 2), x);
  loop.g = at::bmm(loop.s, loop.s.transpose(1, 2));
  loop.trace = loop.g.diagonal(0, 1, 2).sum(1);
  loop.rotations = at::zeros({shape.folds, n_components, shape.p}, at::kDouble);
  loop.x_loadings = at::zeros_like(loop.rotations);
  loop.y_loadings = at::zeros({shape.folds, n_components, shape.m}, at::kDouble);
  loop.tau = at::zeros({shape.folds, n_components}, at::kDouble);
  loop.exhausted = at::zeros({shape.folds, n_components}, at::kBool);
  return loop;
}

template <typename Visit>
void each_tensor(PlsLoop& loop, const Visit& visit) {
  for (auto* t : {&loop.s, &loop.trace, &loop.g, &loop.rotations, &loop.x_loadings,
                  &loop.y_loadings, &loop.tau, &loop.exhausted})
    visit(*t);
}

PlsLoop copy_of(PlsLoop loop, const at::Device& device) {
  each_tensor(loop, [&](at::Tensor& t) { t = t.clone().to(device); });
  return loop;
}

// The fast path, the ATen definition and every device agree over several components, and G stays
// S_k'S_k.
TEST_P(PlsComponent, EqualsDefinition) {
  at::manual_seed(3);
  constexpr int64_t kComponents = 3;
  for (const auto& shape :
       {Shape{1, 3, 1}, {2, 5, 2}, {3, 31, 31}, {3, 32, 32}, {2, 33, 33}, {4, 70, 9}}) {
    at::Tensor gram;
    auto expected = loop_of(shape, kComponents, gram);
    if (shape.folds > 2) {  // a fold with nothing to explain
      expected.s[1].zero_();
      expected.g[1].zero_();
    }
    auto got = copy_of(expected, device());
    auto start = at::zeros({shape.folds, shape.m}, at::kDouble);
    start.select(1, 0).fill_(1);
    for (int64_t k = 0; k < kComponents; ++k) {
      const auto top = top_vector_definition(expected.g, start, {});
      const TopVector there{top.v.to(device()), top.gv.to(device()), top.rayleigh.to(device()),
                            top.iterations.to(device()), top.marginal.to(device())};
      const auto direction = pls_direction_definition(expected, k, top);
      const auto direction_there = pls_direction(got, k, there);
      const auto cr = at::bmm(gram, direction.r.unsqueeze(2)).squeeze(2);
      pls_deflate_definition(expected, k, top, direction, cr);
      pls_deflate(got, k, there, direction_there, cr.to(device()));
      std::vector<at::Tensor> wanted, found;
      each_tensor(expected, [&](at::Tensor& t) { wanted.push_back(t); });
      each_tensor(got, [&](at::Tensor& t) { found.push_back(t); });
      for (size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i].numel() == 0) continue;
        const double size = 1 + wanted[i].to(at::kDouble).abs().max().item<double>();
        EXPECT_LT(test::max_difference(wanted[i], found[i]), 1e-11 * size)
            << "tensor " << i << ", component " << k << ", targets " << shape.m;
      }
      // S_{k+1} = S - P' diag(tau) Q, formed in full.
      const auto before = expected.x_loadings * expected.tau.unsqueeze(2);
      const auto s = expected.s - at::bmm(expected.y_loadings.transpose(1, 2), before);
      EXPECT_LT(test::max_difference(at::bmm(s, s.transpose(1, 2)), found[2]),
                1e-10 * (1 + expected.trace.max().item<double>()));
    }
    if (shape.folds > 2) {
      EXPECT_EQ(got.exhausted.sum().item<int64_t>(), kComponents);
    }
  }
}

CORTISCORE_ON_DEVICES(PlsComponent);

}  // namespace
}  // namespace cortiscore
