// Eight loops of our own on the CPU, for counting their instructions: bench/instructions.py runs
// this under callgrind. Each works once before it counts, so that what happens once (symbols that
// are bound, tables, memory that the allocator keeps) is left out, then once between callgrind's
// marks, and is dumped by its name. Inputs are whole-number arithmetic, the same bits on every
// machine: how far a sort or a power iteration goes depends on them.
#include <cstdio>
#include <vector>

#include <gnu/libc-version.h>
#include <valgrind/callgrind.h>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/headeronly/version.h>

#include "src/core/parallel.h"
#include "src/ops/average_ranks.h"
#include "src/ops/pls_component.h"
#include "src/ops/top_vector.h"
#include "src/ops/train_product.h"
#include "src/ops/weighted_median.h"
#include "src/ops/weighted_ranks.h"
#include "src/resample/bootstrap.h"
#include "src/stimuli/image.h"

namespace cortiscore {
namespace {

// The fractional part of i^2 times the golden ratio, i from 1: spread evenly in [0, 1), in no order
// that a sort could profit from.
double spread(int64_t i) {
  const auto square = static_cast<uint64_t>(i + 1) * static_cast<uint64_t>(i + 1);
  return static_cast<double>((square * 0x9E3779B97F4A7C15U) >> 11U) * 0x1p-53;
}

// Numbers as they come, from -0.5 to 0.5, no two tensors the same.
at::Tensor numbers(at::IntArrayRef sizes, int64_t from) {
  auto values = at::empty(sizes, at::kDouble);
  auto* const to = values.mutable_data_ptr<double>();
  for (int64_t i = 0; i < values.numel(); ++i) to[i] = spread(from + i) - 0.5;
  return values;
}

// The same with a peak in the middle, as responses have: the mean of four, times `scale`.
at::Tensor peaked(at::IntArrayRef sizes, int64_t from, double scale) {
  auto values = at::empty(sizes, at::kDouble);
  auto* const to = values.mutable_data_ptr<double>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    double sum = 0;
    for (int64_t k = 0; k < 4; ++k) sum += spread(from + 4 * i + k) - 0.5;
    to[i] = scale * sum;
  }
  return values;
}

// Values in steps of one: many ties.
at::Tensor tied(at::IntArrayRef sizes, int64_t from, double steps) {
  return peaked(sizes, from, steps).floor_();
}

template <typename Work>
void count(const char* name, const Work& work) {
  work();
  CALLGRIND_START_INSTRUMENTATION;
  work();
  CALLGRIND_STOP_INSTRUMENTATION;
  CALLGRIND_DUMP_STATS_AT(name);
}

// Matrices S'S with a few directions that stand out by less and less, as PLS meets them: tens of
// steps each. Formed by loops of this file, whose rounding no library decides.
at::Tensor spectra(int64_t n, int64_t m) {
  constexpr int64_t kDirections = 24;
  auto g = at::zeros({n, m, m}, at::kDouble);
  const auto directions = numbers({n, kDirections, m}, 7);
  for (int64_t f = 0; f < n; ++f) {
    auto* const to = g.mutable_data_ptr<double>() + f * m * m;
    for (int64_t k = 0; k < kDirections; ++k) {
      const auto* const d = directions.const_data_ptr<double>() + (f * kDirections + k) * m;
      const double weight = 1 / static_cast<double>(k + 4);
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < m; ++j) to[i * m + j] += weight * d[i] * d[j];
      }
    }
  }
  return g;
}

void count_top_vector() {
  constexpr int64_t kFolds = 4, kTargets = 166;  // no multiple of a vector's width: padded
  const auto g = spectra(kFolds, kTargets);
  auto start = at::zeros({kFolds, kTargets}, at::kDouble);
  start.select(1, 0).fill_(1);
  count("top_vector", [&] { return top_vector(g, start, {}); });
}

void count_train_product() {
  constexpr int64_t kRows = 640, kFeatures = 1000, kFolds = 10;
  const auto x = numbers({kRows, kFeatures}, 11);
  const auto r = numbers({kFolds, kFeatures}, 13);
  auto in_train = at::ones({kFolds, kRows}, at::kDouble);
  for (int64_t f = 0; f < kFolds; ++f)
    in_train.select(0, f).narrow(0, f * kRows / kFolds, kRows / kFolds).zero_();
  const auto x_mean = numbers({kFolds, kFeatures}, 17);
  count("train_product", [&] { return train_product(x, r, in_train, x_mean); });
}

// The steps of a component around the power iteration and the product, which count on their own.
void count_pls_component() {
  constexpr int64_t kFolds = 2, kFeatures = 1000, kTargets = 168, kComponents = 10;
  PlsLoop loop;
  loop.s = numbers({kFolds, kTargets, kFeatures}, 19);
  loop.trace = at::ones({kFolds}, at::kDouble);
  loop.g = numbers({kFolds, kTargets, kTargets}, 23);
  loop.rotations = at::zeros({kFolds, kComponents, kFeatures}, at::kDouble);
  loop.x_loadings = at::zeros({kFolds, kComponents, kFeatures}, at::kDouble);
  loop.y_loadings = at::zeros({kFolds, kComponents, kTargets}, at::kDouble);
  loop.tau = at::zeros({kFolds, kComponents}, at::kDouble);
  loop.exhausted = at::zeros({kFolds, kComponents}, at::kBool);
  auto top = empty_top_vector(loop.g);
  top.v = numbers({kFolds, kTargets}, 29);
  top.gv = numbers({kFolds, kTargets}, 31);
  top.rayleigh.fill_(1);
  const auto product = numbers({kFolds, kFeatures}, 37);
  count("pls_component", [&] {
    for (int64_t k = 0; k < kComponents; ++k)
      pls_deflate(loop, k, top, pls_direction(loop, k, top), product);
  });
}

// Rows that are dealt into parts, without ties and with many, and rows short enough to be compared.
void count_average_ranks() {
  const auto smooth = peaked({2, 20000}, 41, 1), ties = tied({2, 20000}, 43, 1000);
  const auto few = peaked({4, 2000}, 47, 1);
  count("average_ranks", [&] {
    average_ranks(smooth);
    average_ranks(ties);
    average_ranks(few);
  });
}

// Ranks of an RDM's pairs for many draws of its stimuli.
void count_weighted_ranks() {
  constexpr int64_t kPairs = 100 * 99 / 2, kDraws = 100;
  const auto smooth = sort_ties(peaked({kPairs}, 53, 1)), ties = sort_ties(tied({kPairs}, 59, 500));
  const auto weights = numbers({kDraws, kPairs}, 61).add_(0.5).mul_(3).floor_();
  count("weighted_ranks", [&] {
    weighted_ranks(smooth, weights);
    weighted_ranks(ties, weights);
  });
}

// Medians over neuroids: values that every draw shares, and values that every draw has anew.
void count_weighted_median() {
  constexpr int64_t kSplits = 10, kNeuroids = 168;
  const auto shared = peaked({1, kSplits, kNeuroids}, 67, 1);
  const auto anew = peaked({50, kSplits, kNeuroids}, 71, 1);
  const auto counts = numbers({1000, kNeuroids}, 73).add_(0.5).mul_(3).floor_();
  const auto once = at::ones({1, kNeuroids}, at::kDouble);
  count("weighted_median", [&] {
    weighted_median(shared, counts);
    weighted_median(anew, once);
  });
}

void count_bootstrap_counts() {
  count("bootstrap_counts", [&] {
    return bootstrap_counts(0, Axis::kPresentation, 0, 100, 2560, at::TensorOptions());
  });
}

// A photo on the screen of a network: padded from 6 to 8 degrees, then made as small as the input.
void count_place_and_resize() {
  Image photo{375, 500, std::vector<uint8_t>(375 * 500 * 3)};
  for (size_t i = 0; i < photo.pixels.size(); ++i)
    photo.pixels[i] = static_cast<uint8_t>(256 * spread(static_cast<int64_t>(i)));
  count("place_and_resize", [&] { resize_bilinear(place_on_screen(photo, 8, 6), 224, 224); });
}

// Which body of a function that CORTISCORE_SIMD compiles for several runs here.
const char* clones() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return "avx512f";
  if (__builtin_cpu_supports("avx2")) return "avx2";
#endif
  return "default";
}

const char* optimised() {
#ifdef __OPTIMIZE__
  return "true";
#else
  return "false";
#endif
}

}  // namespace

int run() {
  at::set_num_threads(1);
  set_thread_count(1);
  // What counts depend on beside this code: they are compared where all of it is the same.
  std::printf(R"({"compiler": "%s", "optimised": %s, "torch": "%s", "c_library": "%s", )"
              R"("clones": "%s", "vectors_of_torch": "%s"})",
              __VERSION__, optimised(), TORCH_VERSION, gnu_get_libc_version(), clones(),
              at::get_cpu_capability().c_str());
  count_top_vector();
  count_train_product();
  count_pls_component();
  count_average_ranks();
  count_weighted_ranks();
  count_weighted_median();
  count_bootstrap_counts();
  count_place_and_resize();
  return 0;
}

}  // namespace cortiscore

int main() {
  return cortiscore::run();
}
