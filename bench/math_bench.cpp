// Google Benchmark over the mathematics, on the CPU (one thread) and on CUDA where there is a device.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include "src/ceiling/internal_consistency.h"
#include "src/core/host_allocator.h"
#include "src/core/parallel.h"
#include "src/linalg/gram.h"
#include "src/mapping/pls.h"
#include "src/ops/pearson_columns.h"

namespace cortiscore {
namespace {

// Reading one number of the result waits for the device.
void wait_for(const at::Tensor& result) {
  benchmark::DoNotOptimize(result.sum().item<double>());
}

void pls_standard_job(benchmark::State& state, const at::Device& device) {
  at::manual_seed(0);
  const auto spectrum = at::arange(1, 1001, at::kDouble).pow(-0.5);
  const auto x = at::randn({2560, 1000}, at::kDouble) * spectrum;
  const auto y = at::tanh(at::mm(x, at::randn({1000, 168}, at::kDouble))) +
                 at::randn({2560, 168}, at::kDouble);
  const auto source = x.to(device);
  const auto target = y.to(device);
  const auto splits = shuffle_splits(2560, 10, 0.9, 1);
  for (auto _ : state) wait_for(pls_cross_validate(source, target, splits).predictions(9));
}

void columns_pearson(benchmark::State& state, const at::Device& device) {
  const auto x = at::randn({10000, 2000}, at::kDouble).to(device);
  const auto y = x + at::randn({10000, 2000}, at::kDouble).to(device);
  for (auto _ : state) wait_for(pearson_columns(x, y));
  state.SetBytesProcessed(state.iterations() * 2 * x.numel() * 8);
}

void gram_of_raw_features(benchmark::State& state, const at::Device& device) {
  const auto x = at::randn({640, 100000}, at::kFloat).to(device);
  for (auto _ : state) wait_for(centred_gram(x));
}

void split_half_ceiling(benchmark::State& state, const at::Device& device) {
  const auto trials = at::randn({28, 2560, 168}, at::kDouble).to(device);
  for (auto _ : state) wait_for(internal_consistency(trials));
}

void register_all(const char* name, void (*function)(benchmark::State&, const at::Device&)) {
  for (const char* device : {"cpu", "cuda"}) {
    if (std::string(device) == "cuda" && !at::hasCUDA()) continue;
    benchmark::RegisterBenchmark((std::string(name) + "/" + device).c_str(), function,
                                 at::Device(device))
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace
}  // namespace cortiscore

int main(int argc, char** argv) {
  using namespace cortiscore;
  use_caching_host_allocator();
  at::set_num_threads(1);
  set_thread_count(1);
  register_all("pls_2560x1000_168_targets_25_components_10_splits", pls_standard_job);
  register_all("pearson_columns_10000x2000", columns_pearson);
  register_all("centred_gram_640x100000", gram_of_raw_features);
  register_all("internal_consistency_28x2560x168_10_splits", split_half_ceiling);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
