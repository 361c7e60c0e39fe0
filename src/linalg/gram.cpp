#include "src/linalg/gram.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "src/core/parallel.h"

namespace cortiscore {
namespace {

constexpr int64_t kFeatures = 4096;  // features a block: 640 rows of them in float64 are 21 MB
constexpr int64_t kTile = 192;       // rows and columns of one product...
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
      tile.addmm_(left, right.t());
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

// out += a a' on a GPU from three TF32 products: each factor as the sum of two of 11 bits, but for the smallest term.
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

// The upper triangle from the lower one, in blocks that fit the cache both ways.
void mirror_lower(at::Tensor& out) {
  constexpr int64_t kBlock = 64;
  const int64_t n = out.size(0);
  double* const m = out.mutable_data_ptr<double>();
  const int64_t blocks = (n + kBlock - 1) / kBlock;
  parallel_for(blocks, [&](int64_t bi) {
    for (int64_t bj = 0; bj <= bi; ++bj) {
      for (int64_t i = bi * kBlock; i < std::min(n, (bi + 1) * kBlock); ++i) {
        for (int64_t j = bj * kBlock; j < std::min(i, (bj + 1) * kBlock); ++j)
          m[j * n + i] = m[i * n + j];
      }
    }
  });
}

// Sum over blocks of features of prepare(block) prepare(block)', prepare giving float64.
template <typename Prepare>
at::Tensor gram_of_blocks(const at::Tensor& x,
                          const Prepare& prepare,
                          Precision precision = Precision::kFloat64) {
  const bool fast = precision == Precision::kFast;
  auto out = at::zeros({x.size(0), x.size(0)}, x.options().dtype(at::kDouble));
  for (int64_t begin = 0; begin < x.size(1); begin += kFeatures) {
    const auto block =
        prepare(x.narrow(1, begin, std::min(kFeatures, x.size(1) - begin)).to(at::kDouble));
    if (x.is_cpu()) {
      add_lower_product(fast ? block.to(at::kFloat).contiguous() : block.contiguous(), out);
    } else if (fast) {
      add_tf32_product(block, out);
    } else {
      out.addmm_(block, block.t());
    }
  }
  if (x.is_cpu()) mirror_lower(out);
  return out;
}

}  // namespace

at::Tensor centred_gram(const at::Tensor& x, Precision precision) {
  return gram_of_blocks(
      x, [](const at::Tensor& block) { return block - block.mean(0); }, precision);
}

at::Tensor row_gram(const at::Tensor& x, bool centre_rows) {
  if (!centre_rows) return gram_of_blocks(x, [](const at::Tensor& block) { return block; });
  const auto mean = x.mean(1, true, at::kDouble);
  return gram_of_blocks(x, [&](const at::Tensor& block) { return block - mean; });
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

// L^-1 (X - mean) (X - mean)' L^-T + L^-1 1 lift 1' L^-T, streamed over blocks of features: the Gram matrix of what the
// factor L of the first pass has made nearly orthonormal.
at::Tensor whitened_gram(const at::Tensor& x, const at::Tensor& factor, const at::Tensor& lift) {
  constexpr int64_t kColumns = 512;  // right-hand sides of one triangular solve
  const auto solve = [&](const at::Tensor& b) {
    return at::linalg_solve_triangular(factor, b, /*upper=*/false);
  };
  auto out = gram_of_blocks(x, [&](const at::Tensor& block) {
    const auto centred = block - block.mean(0);
    if (!x.is_cpu()) return solve(centred);
    auto solved = at::empty_like(centred);
    parallel_for((block.size(1) + kColumns - 1) / kColumns, [&](int64_t i) {
      const int64_t width = std::min(kColumns, block.size(1) - i * kColumns);
      solved.narrow(1, i * kColumns, width)
          .copy_(solve(centred.narrow(1, i * kColumns, width).contiguous()));
    });
    return solved;
  });
  const auto constant = solve(lift.sqrt() * at::ones({x.size(0), 1}, out.options()));
  return out.addmm_(constant, constant.t());
}

}  // namespace

at::Tensor isometric_coordinates(const at::Tensor& x, Precision precision) {
  const auto gram = centred_gram(x, precision);
  const auto n = static_cast<double>(gram.size(0));
  const auto lift = gram.diagonal().mean().clamp_min(1e-300) / n;
  const auto first = at::linalg_cholesky_ex(gram + lift);
  const at::Tensor& factor = std::get<0>(first);
  const at::Tensor& info = std::get<1>(first);
  if (gram.is_cpu() && info.const_data_ptr<int>()[0] == 0) {
    // Below this ratio of pivots, eps times the squared condition number is within the bound on predictions.
    // Fast products have lost more than a second pass could bring back.
    const double well_conditioned = precision == Precision::kFast ? 1e300 : 30;
    const auto pivots = factor.diagonal().contiguous();
    const auto [least, most] = std::minmax_element(
        pivots.const_data_ptr<double>(), pivots.const_data_ptr<double>() + pivots.numel());
    if (*most < well_conditioned * *least) return factor;
  }
  // A failed factorisation is replaced, not branched on, where branching would ask the device.
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
  return at::where(fine, refined, spectral());
}

}  // namespace cortiscore
