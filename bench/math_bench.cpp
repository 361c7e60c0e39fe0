// Google Benchmark over the mathematics, on the CPU (one thread) and on CUDA where there is a
// device. The shapes are those of docs/ALGORITHMS.md section 3; bench/suite.py runs peers beside
// them.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include "src/ceiling/internal_consistency.h"
#include "src/core/host_allocator.h"
#include "src/core/parallel.h"
#include "src/linalg/gram.h"
#include "src/linalg/span.h"
#include "src/mapping/pls.h"
#include "src/mapping/ridge.h"
#include "src/metric/rdm.h"
#include "src/ops/average_ranks.h"
#include "src/ops/pearson_columns.h"
#include "src/ops/weighted_pearson.h"

namespace cortiscore {
namespace {

// Reading one number of the result waits for the device.
void wait_for(const at::Tensor& result) {
  benchmark::DoNotOptimize(result.sum().item<double>());
}

void add_flops(benchmark::State& state, double flops) {
  state.counters["flops"] = benchmark::Counter(flops * static_cast<double>(state.iterations()),
                                               benchmark::Counter::kIsRate);
}

struct Job {
  at::Tensor x, y;
};

// Features of variance 1 / i, targets tanh of a low-rank projection plus private noise.
Job job(int64_t n, int64_t p, int64_t m, const at::Device& device) {
  at::manual_seed(0);
  const auto x = at::randn({n, p}, at::kDouble) * at::arange(1, p + 1, at::kDouble).pow(-0.5);
  const auto y = at::mm(at::tanh(at::mm(x, at::randn({p, 40}, at::kDouble)) / 3),
                        at::randn({40, m}, at::kDouble)) +
                 6 * at::randn({n, m}, at::kDouble);
  return {x.to(device), y.to(device)};
}

void gemm(benchmark::State& state, const at::Device& device, at::ScalarType type) {
  const int64_t n = device.is_cuda() ? 4096 : 1024;  // large enough for the peak
  const auto a = at::randn({n, n}, type).to(device);
  for (auto _ : state) wait_for(at::mm(a, a));
  add_flops(state, 2.0 * static_cast<double>(n * n * n));
}

// Reading and writing 512 MB, far beyond any cache.
void memory(benchmark::State& state, const at::Device& device) {
  const auto from = at::ones({32 << 20}, at::kDouble).to(device);
  auto to = from.clone();  // its pages are there before the first copy
  for (auto _ : state) wait_for(to.copy_(from).narrow(0, 0, 1));
  state.SetBytesProcessed(state.iterations() * 2 * from.numel() * 8);
}

void pls_standard_job(benchmark::State& state, const at::Device& device) {
  const auto [x, y] = job(2560, 1000, 168, device);
  const auto splits = shuffle_splits(2560, 10, 0.9, 1);
  for (auto _ : state) wait_for(pls_cross_validate(x, y, splits).predictions(9));
}

void pls_raw(benchmark::State& state, const at::Device& device) {
  const auto [x, y] = job(2560, 12000, 168, device);
  const auto splits = shuffle_splits(2560, 10, 0.9, 1);
  for (auto _ : state) wait_for(pls_cross_validate(x, y, splits).predictions(9));
}

void ridgecv_one_split(benchmark::State& state, const at::Device& device) {
  const auto [x, y] = job(2560, 1000, 168, device);
  const auto splits = shuffle_splits(2560, 1, 0.9, 1);
  for (auto _ : state)
    wait_for(ridge_cross_validate(x, y, splits, {platform_alphas()}).predictions[0]);
}

void ridge_ten_splits(benchmark::State& state, const at::Device& device) {
  const auto [x, y] = job(2560, 1000, 168, device);
  const auto splits = shuffle_splits(2560, 10, 0.9, 1);
  for (auto _ : state) wait_for(ridge_cross_validate(x, y, splits).predictions[9]);
}

void split_half_ceiling(benchmark::State& state, const at::Device& device, int64_t n_splits) {
  const auto trials = at::randn({28, 2560, 168}, at::kDouble).to(device);
  for (auto _ : state)
    wait_for(internal_consistency(trials, {.n_splits = n_splits, .complete = true}));
}

void image_bootstrap(benchmark::State& state, const at::Device& device) {
  const auto x = at::randn({2560, 168}, at::kDouble).to(device);
  const auto y = x + at::randn({2560, 168}, at::kDouble).to(device);
  for (auto _ : state) {
    for (int64_t first = 0; first < 10000; first += 500) {  // in blocks, as `resample` draws
      const auto counts = bootstrap_counts(0, Axis::kPresentation, first, 500, 2560, x.options());
      wait_for(weighted_pearson(counts, x, y));
    }
  }
}

void rdm_of_responses(benchmark::State& state, const at::Device& device) {
  const auto x = at::randn({2560, 1000}, at::kDouble).to(device);
  for (auto _ : state) wait_for(rdm(x));
}

void spearman_of_rdms(benchmark::State& state, const at::Device& device) {
  const auto a = at::rand({2560 * 2559 / 2}, at::kDouble).to(device);
  const auto b = a + at::rand({2560 * 2559 / 2}, at::kDouble).to(device);
  for (auto _ : state) wait_for(spearman(a, b));
}

void rdm_bootstrap(benchmark::State& state, const at::Device& device, RdmComparison comparison) {
  const auto models = at::rand({5, 200 * 199 / 2}, at::kDouble).to(device);
  const auto subjects = at::rand({10, 200 * 199 / 2}, at::kDouble).to(device);
  for (auto _ : state) {
    const auto counts = bootstrap_counts(0, Axis::kPresentation, 0, 100, 200, models.options());
    wait_for(compare_rdms_draws(models, subjects, counts, comparison));
  }
}

void columns_pearson(benchmark::State& state, const at::Device& device) {
  const auto x = at::randn({10000, 2000}, at::kDouble).to(device);
  const auto y = x + at::randn({10000, 2000}, at::kDouble).to(device);
  for (auto _ : state) wait_for(pearson_columns(x, y));
  state.SetBytesProcessed(state.iterations() * 2 * x.numel() * 8);
}

void gram_of_raw_features(benchmark::State& state, const at::Device& device, int64_t n, int64_t p) {
  const auto x = at::randn({n, p}, at::kFloat).to(device);
  for (auto _ : state) wait_for(centred_gram(x));
  add_flops(state, static_cast<double>(n * n * p));
}

// 640 stimuli, by micro-batches of 16, in the span of 1000 photos.
void span_of_photos(benchmark::State& state, const at::Device& device) {
  constexpr int64_t kPhotos = 1000, kStimuli = 640, kFeatures = 65536, kBatch = 16;
  const auto photos = at::randn({kPhotos, kFeatures}, at::kFloat).to(device);
  const auto stimuli = at::randn({kStimuli, kFeatures}, at::kFloat).to(device);
  for (auto _ : state) {
    state.PauseTiming();
    const auto reference = photos.clone();
    state.ResumeTiming();
    MatrixBlocks blocks(reference);
    const Span span(blocks);
    auto offset = at::zeros({span.size()}, at::device(device).dtype(at::kDouble));
    const auto basis = span.basis(reference, offset);
    auto sums = at::zeros({kStimuli, span.size()}, offset.options());
    parallel_for(device.is_cpu() ? kStimuli / kBatch : 0, [&](int64_t i) {
      auto rows = sums.narrow(0, i * kBatch, kBatch);
      add_span_products(stimuli.narrow(0, i * kBatch, kBatch), basis, rows);
    });
    for (int64_t i = 0; !device.is_cpu() && i < kStimuli / kBatch; ++i) {
      auto rows = sums.narrow(0, i * kBatch, kBatch);
      add_span_products(stimuli.narrow(0, i * kBatch, kBatch), basis, rows);
    }
    wait_for(sums - offset);
  }
}

template <typename Function>
void register_all(const char* name, Function function) {
  for (const char* device : {"cpu", "cuda"}) {
    if (std::string(device) == "cuda" && !at::hasCUDA()) continue;
    benchmark::RegisterBenchmark(
        (std::string(name) + "/" + device).c_str(),
        [function, device](benchmark::State& state) { function(state, at::Device(device)); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace

int run(int argc, char** argv) {
  use_caching_host_allocator();
  at::set_num_threads(1);
  set_thread_count(1);
  register_all("gemm", [](auto& state, const auto& device) { gemm(state, device, at::kDouble); });
  register_all("gemm_float32",
               [](auto& state, const auto& device) { gemm(state, device, at::kFloat); });
  register_all("copy_256MiB", memory);
  register_all("pls_2560x1000_168_targets_25_components_10_splits", pls_standard_job);
  register_all("pls_raw_2560x12000_168_targets_10_splits", pls_raw);
  register_all("ridgecv_2560x1000_99_penalties_1_split", ridgecv_one_split);
  register_all("ridge_2560x1000_10_splits", ridge_ten_splits);
  register_all("ceiling_28x2560x168_10_splits",
               [](auto& state, const auto& device) { split_half_ceiling(state, device, 10); });
  register_all("ceiling_28x2560x168_10000_splits",
               [](auto& state, const auto& device) { split_half_ceiling(state, device, 10000); });
  register_all("bootstrap_10000_of_2560x168", image_bootstrap);
  register_all("rdm_2560x1000", rdm_of_responses);
  register_all("spearman_3275520", spearman_of_rdms);
  register_all("rdm_bootstrap_pearson_100_of_200_10_subjects_5_models",
               [](auto& state, const auto& device) {
                 rdm_bootstrap(state, device, RdmComparison::kPearson);
               });
  register_all("rdm_bootstrap_spearman_100_of_200_10_subjects_5_models",
               [](auto& state, const auto& device) {
                 rdm_bootstrap(state, device, RdmComparison::kSpearman);
               });
  register_all("pearson_columns_10000x2000", columns_pearson);
  register_all("centred_gram_640x100000", [](auto& state, const auto& device) {
    gram_of_raw_features(state, device, 640, 100000);
  });
  register_all("centred_gram_2560x32768", [](auto& state, const auto& device) {
    gram_of_raw_features(state, device, 2560, 32768);
  });
  register_all("span_of_1000_640x65536", span_of_photos);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace cortiscore

int main(int argc, char** argv) {
  return cortiscore::run(argc, argv);
}
