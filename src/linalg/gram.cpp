#include "src/linalg/gram.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/parallel.h"
#include "src/ops/column_means.h"
#include "src/ops/symmetric.h"

namespace cortiscore {
namespace {

constexpr int64_t kTile = 192;  // rows and columns of one product...
constexpr int64_t kSmallTile =
    96;  // ...or of matrices that would make too few products for threads to share evenly
constexpr int64_t kSmall = 4 * kSmallTile;

// Features whose products are summed in float32 before they join a float64 sum.
constexpr int64_t kShortSum = 2048;

// out += lower blocks of a a', in tiles; a is [n, k] float64, or float32 for fast products.
void add_lower_product(const at::Tensor& a, at::Tensor& out) {
  const int64_t n = a.size(0);
  const int64_t size = n <= kSmall ? kSmallTile : kTile;
  const int64_t tiles = (n + size - 1) / size;
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t i = 0; i < tiles; ++i) {
    for (int64_t j = 0; j <= i; ++j) pairs.emplace_back(i, j);
  }
  parallel_for(static_cast<int64_t>(pairs.size()), [&](int64_t p) {
    const auto [i, j] = pairs[static_cast<size_t>(p)];
    const int64_t rows = std::min(size, n - i * size);
    const int64_t columns = std::min(size, n - j * size);
    auto tile = out.narrow(0, i * size, rows).narrow(1, j * size, columns);
    const auto left = a.narrow(0, i * size, rows);
    const auto right = a.narrow(0, j * size, columns);
    if (a.scalar_type() == at::kDouble) {
      if (i == j) {
        add_lower_half(left, tile);
      } else {
        tile.addmm_(left, right.t());
      }
      return;
    }
    for (int64_t begin = 0; begin < a.size(1); begin += kShortSum) {
      const int64_t width = std::min(kShortSum, a.size(1) - begin);
      tile.add_(at::mm(left.narrow(1, begin, width), right.narrow(1, begin, width).t()));
    }
  });
}

class AllowTf32 {
 public:
  AllowTf32() : before_(at::globalContext().allowTF32CuBLAS()) {
    at::globalContext().setAllowTF32CuBLAS(true);
  }
  ~AllowTf32() { at::globalContext().setAllowTF32CuBLAS(before_); }
  AllowTf32(const AllowTf32&) = delete;
  AllowTf32& operator=(const AllowTf32&) = delete;

 private:
  bool before_;
};

// out += a a' on a GPU from three TF32 products: each factor as the sum of two of 11 bits, but for
// the smallest term.
void add_tf32_product(const at::Tensor& a, at::Tensor& out) {
  const AllowTf32 guard;
  for (int64_t begin = 0; begin < a.size(1); begin += kShortSum) {
    const auto part = a.narrow(1, begin, std::min(kShortSum, a.size(1) - begin));
    const auto single = part.to(at::kFloat).contiguous();
    constexpr int64_t kKept =
        ~((int64_t{1} << 13) - 1);  // float32 without the bits that TF32 drops
    const auto high = at::bitwise_and(single.view(at::kInt), kKept).view(at::kFloat);
    const auto low = (part - high.to(at::kDouble)).to(at::kFloat);
    const auto mixed = at::mm(high, low.t());
    out.add_(at::mm(high, high.t())).add_(mixed).add_(mixed.t());
  }
}

// Where blocks of features go: products of rows, summed block by block.
class GramSum {
 public:
  explicit GramSum(int64_t n, Precision precision) : n_(n), fast_(precision == Precision::kFast) {}

  // @param block  [n, at most kWidth] float64
  void add(const at::Tensor& block) {
    if (!out_.defined()) out_ = at::zeros({n_, n_}, block.options());
    if (block.is_cpu()) {
      add_lower_product(fast_ ? block.to(at::kFloat).contiguous() : block.contiguous(), out_);
    } else if (fast_) {
      add_tf32_product(block, out_);
    } else {
      out_.addmm_(block, block.t());
    }
  }

  at::Tensor symmetric() {
    if (out_.is_cpu()) mirror_lower(out_);
    return out_;
  }

 private:
  int64_t n_;
  bool fast_;
  at::Tensor out_;
};

// Calls add(begin, columns) for every block of kWidth features.
template <typename Add>
void each_block(FeatureBlocks& x, const Add& add) {
  x.each([&](int64_t first, const at::Tensor& columns) {
    for (int64_t begin = 0; begin < columns.size(1); begin += FeatureBlocks::kWidth) {
      add(first + begin,
          columns.narrow(1, begin, std::min(FeatureBlocks::kWidth, columns.size(1) - begin)));
    }
  });
}

}  // namespace

at::Tensor centred_gram(FeatureBlocks& x, Precision precision) {
  GramSum sum(x.rows(), precision);
  each_block(x, [&](int64_t, const at::Tensor& block) { sum.add(less_column_means(block)); });
  return sum.symmetric();
}

at::Tensor centred_gram(const at::Tensor& x, Precision precision) {
  MatrixBlocks blocks(x);
  return centred_gram(blocks, precision);
}

RowGram row_gram(FeatureBlocks& x, bool centre_rows) {
  GramSum sum(x.rows(), Precision::kFloat64);
  at::Tensor shift, rest, largest;
  each_block(x, [&](int64_t begin, const at::Tensor& block) {
    const auto most = block.abs().amax(1).to(at::kDouble);
    largest = begin ? at::maximum(largest, most) : most;
    if (!centre_rows) {
      sum.add(block.to(at::kDouble));
      return;
    }
    if (!begin) {
      shift = block.mean(1, true, at::kDouble);
      rest = at::zeros_like(shift);
    }
    const auto shifted = block - shift;
    rest += shifted.sum(1, true);
    sum.add(shifted);
  });
  auto products = sum.symmetric();
  if (centre_rows) products.addmm_(rest, rest.t(), 1, -1.0 / static_cast<double>(x.features()));
  return {products, largest};
}

at::Tensor cross_gram(const at::Tensor& x, Precision precision) {
  const bool fast = precision == Precision::kFast;
  if (!x.is_cpu() && !fast) return at::mm(x.t(), x);
  auto out = at::zeros({x.size(1), x.size(1)}, x.options());
  if (!x.is_cpu()) {
    add_tf32_product(x.t(), out);
    return out;
  }
  add_lower_product(fast ? x.t().to(at::kFloat).contiguous() : x.t(), out);
  mirror_lower(out);
  return out;
}

namespace {

// L^-1 (X - mean) (X - mean)' L^-T + L^-1 1 lift 1' L^-T, streamed over blocks of features: the
// Gram matrix of what the factor L of the first pass has made nearly orthonormal.
at::Tensor whitened_gram(FeatureBlocks& x, const at::Tensor& factor, const at::Tensor& lift) {
  constexpr int64_t kColumns = 512;  // right-hand sides of one triangular solve
  const auto solve = [&](const at::Tensor& b) {
    return at::linalg_solve_triangular(factor, b, /*upper=*/false);
  };
  GramSum sum(x.rows(), Precision::kFloat64);
  each_block(x, [&](int64_t, const at::Tensor& block) {
    const auto centred = less_column_means(block);
    if (!block.is_cpu()) {
      sum.add(solve(centred));
      return;
    }
    parallel_for((centred.size(1) + kColumns - 1) / kColumns, [&](int64_t i) {
      const int64_t width = std::min(kColumns, centred.size(1) - i * kColumns);
      auto columns = centred.narrow(1, i * kColumns, width);
      columns.copy_(solve(columns.contiguous()));
    });
    sum.add(centred);
  });
  const auto constant = solve(lift.sqrt() * at::ones({x.rows(), 1}, factor.options()));
  return sum.symmetric().addmm_(constant, constant.t());
}

}  // namespace

at::Tensor isometric_coordinates(const at::Tensor& x, Precision precision) {
  MatrixBlocks blocks(x);
  return isometric_coordinates(blocks, precision);
}

at::Tensor isometric_coordinates(FeatureBlocks& x, Precision precision) {
  const auto gram = centred_gram(x, precision);
  const auto n = static_cast<double>(gram.size(0));
  const auto lift = gram.diagonal().mean().clamp_min(1e-300) / n;
  const auto first = at::linalg_cholesky_ex(gram + lift);
  const at::Tensor& factor = std::get<0>(first);
  const at::Tensor& info = std::get<1>(first);
  if (gram.is_cpu() && info.const_data_ptr<int>()[0] == 0) {
    // Below this ratio of pivots, eps times the squared condition number is within the bound on
    // predictions. Fast products have lost more than a second pass could bring back.
    const double well_conditioned = precision == Precision::kFast ? 1e300 : 30;
    const auto pivots = factor.diagonal().contiguous();
    const auto [least, most] = std::minmax_element(
        pivots.const_data_ptr<double>(), pivots.const_data_ptr<double>() + pivots.numel());
    if (*most < well_conditioned * *least) return factor;
  }
  const auto refine = [&] {
    const auto [second, failed] = at::linalg_cholesky_ex(whitened_gram(x, factor, lift));
    return std::pair(at::mm(factor, second), (info + failed) == 0);
  };
  const auto spectral = [&] {
    const auto [values, vectors] = at::linalg_eigh(gram);
    return vectors * values.clamp_min(0).sqrt();
  };
  if (gram.is_cpu()) {
    if (info.const_data_ptr<int>()[0] != 0) return spectral();
    const auto [refined, fine] = refine();
    return fine.const_data_ptr<bool>()[0] ? refined : spectral();
  }
  const auto [refined, fine] = refine();
  // Asked, since the other way asks as well and takes ten times as long.
  return fine.item<bool>() ? refined : spectral();
}

}  // namespace cortiscore
