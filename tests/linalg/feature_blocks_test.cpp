// What is summed over features gives the same bits whether columns come at once or in parts, and
// NumPy's values.
#include "src/linalg/feature_blocks.h"

#include <functional>
#include <tuple>
#include <vector>

#include "src/linalg/gram.h"
#include "src/linalg/span.h"
#include "src/metric/rdm.h"
#include "tests/support/devices.h"

namespace cortiscore {
namespace {

using FeatureBlocksTest = test::OnDevice;

// A matrix that hands out copies of so many columns at a time.
class InParts final : public FeatureBlocks {
 public:
  InParts(at::Tensor x, int64_t width)
      : FeatureBlocks(x.size(0), x.size(1)), x_(std::move(x)), width_(width) {}
  void each(const Visit& visit) override {
    for (int64_t begin = 0; begin < features(); begin += width_) {
      visit(begin, x_.narrow(1, begin, std::min(width_, features() - begin)).contiguous().clone());
    }
  }

 private:
  at::Tensor x_;
  int64_t width_;
};

// Rows with means of their own, as activations have them; several blocks, the last not whole.
at::Tensor activations(int64_t n, int64_t p, const at::Device& device) {
  at::manual_seed(7);
  const auto x = at::randn({n, p}, at::kFloat) + 30 * at::rand({n, 1}, at::kFloat);
  return x.to(device);
}

TEST_P(FeatureBlocksTest, PartsGiveTheBitsOfTheWhole) {
  for (const int64_t p : {100, 4096, 40001}) {
    const auto x = activations(70, p, device());
    const std::vector<std::function<at::Tensor(FeatureBlocks&)>> functions = {
        [](FeatureBlocks& b) { return centred_gram(b); },
        [](FeatureBlocks& b) { return isometric_coordinates(b); },
        [](FeatureBlocks& b) { return rdm(b, RdmDistance::kCorrelation); },
        [](FeatureBlocks& b) { return rdm(b, RdmDistance::kCosine); },
        [](FeatureBlocks& b) { return rdm(b, RdmDistance::kSquaredEuclidean); },
        [](FeatureBlocks& b) { return whole(b); }};
    for (size_t f = 0; f < functions.size(); ++f) {
      MatrixBlocks together(x);
      const auto expected = functions[f](together);
      for (const int64_t width : {4096, 12288}) {
        InParts parts(x, width);
        EXPECT_TRUE(at::equal(functions[f](parts), expected)) << f << " " << p << " " << width;
      }
    }
  }
}

TEST_P(FeatureBlocksTest, RowsLessTheirMeans) {
  const auto x = activations(40, 9000, device());
  const auto exact = x.to(at::kDouble);
  const auto centred = exact - exact.mean(1, true);
  MatrixBlocks blocks(x);
  const auto [products, largest] = row_gram(blocks, true);
  const auto expected = at::mm(centred, centred.t());
  // Of the row's own size, 9000: rounding of a sum of so many terms.
  EXPECT_LT(test::max_difference(products, expected), 9000 * 1e-13);
  EXPECT_TRUE(at::equal(largest, exact.abs().amax(1)));
  // Means of single blocks far from the mean of the row: what is left after the shift is taken off.
  auto ramp = x.clone();
  ramp.narrow(1, 0, 4096) += 1000;
  const auto ramp_exact = ramp.to(at::kDouble);
  const auto ramp_centred = ramp_exact - ramp_exact.mean(1, true);
  MatrixBlocks ramp_blocks(ramp);
  const auto ramp_expected = at::mm(ramp_centred, ramp_centred.t());
  EXPECT_LT(test::max_difference(row_gram(ramp_blocks, true).products, ramp_expected),
            1e-12 * ramp_expected.abs().max().item<double>());
}

TEST_P(FeatureBlocksTest, ConstantPatternsHaveNoCorrelation) {
  auto x = activations(6, 9000, device());
  x[2].fill_(0.3F);
  MatrixBlocks blocks(x);
  const auto found = rdm(blocks, RdmDistance::kCorrelation).isnan().sum(1).cpu();
  EXPECT_EQ(found[2].item<int64_t>(), 5);  // the diagonal is 0
  EXPECT_EQ(found[0].item<int64_t>(), 1);
}

TEST_P(FeatureBlocksTest, ASpanInPartsHasTheSameBits) {
  const int64_t p = 70000, m = 40;
  const auto reference = activations(m, p, device());
  const auto x = activations(16, p, device()).flip(0);
  const auto coordinates = [&](int64_t width) {
    InParts blocks(reference, width);
    const Span span(blocks);
    auto offset = at::zeros({span.size()}, at::device(device()).dtype(at::kDouble));
    auto sums = at::zeros({16, span.size()}, offset.options());
    for (int64_t begin = 0; begin < p; begin += width) {
      const int64_t here = std::min(width, p - begin);
      const auto columns = reference.narrow(1, begin, here).contiguous().clone();
      add_span_products(x.narrow(1, begin, here).contiguous(), span.basis(columns, offset), sums);
    }
    return sums - offset;
  };
  const auto together = coordinates(p);
  EXPECT_EQ(together.size(1), m - 1);
  EXPECT_TRUE(at::equal(coordinates(Span::kWidth), together));
  // In the span, distances to the reference's mean are those of the projection: of reference rows,
  // their own.
  const auto exact = reference.to(at::kDouble);
  const auto centred = exact - exact.mean(0);
  InParts blocks(reference, p);
  const Span span(blocks);
  auto offset = at::zeros({span.size()}, together.options());
  const auto basis = span.basis(reference.clone(), offset);
  auto sums = at::zeros({m, span.size()}, together.options());
  add_span_products(reference, basis, sums);
  const auto own = sums - offset;
  const auto expected = at::mm(centred, centred.t());
  EXPECT_LT(test::max_difference(at::mm(own, own.t()), expected),
            1e-5 * expected.abs().max().item<double>());
}

CORTISCORE_ON_DEVICES(FeatureBlocksTest);

}  // namespace
}  // namespace cortiscore
