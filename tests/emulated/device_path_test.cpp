// What the device path asks of a device: launches, waits, uploads, threads, memory. The numbers are
// tested elsewhere, over every device.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>
#include <gtest/gtest.h>

#include "src/ceiling/internal_consistency.h"
#include "src/core/parallel.h"
#include "src/linalg/gram.h"
#include "src/mapping/logistic.h"
#include "src/mapping/ridge.h"
#include "src/metric/cka.h"
#include "src/metric/predictivity.h"
#include "src/metric/rdm.h"
#include "src/ops/fused.h"
#include "src/ops/kendall.h"
#include "src/ops/upper_triangle.h"
#include "src/ops/weighted_pearson.h"
#include "src/resample/bootstrap.h"
#include "tests/emulated/device.h"
#include "tests/emulated/torch_device.h"

namespace cortiscore {
namespace {

const at::Device kDevice(at::kPrivateUse1, 0);
const at::Device kOther(at::kPrivateUse1, 1);

at::Tensor normal(at::IntArrayRef shape, uint64_t seed) {
  at::manual_seed(seed);
  return at::randn(shape, at::kDouble);
}

class DevicePath : public testing::Test {
 protected:
  void SetUp() override { threads_ = thread_count(); }
  void TearDown() override { set_thread_count(threads_); }

  static emulated::Work asked(const std::function<void()>& job) {
    auto& work = emulated::work();
    const auto bytes = work.bytes;
    work = {};
    work.bytes = work.peak_bytes = bytes;
    emulated::launches().clear();
    job();
    work.peak_bytes -= bytes;
    return work;
  }

 private:
  int64_t threads_ = 1;
};

// --- launches and waits --------------------------------------------------------------------------

struct Job {
  const char* name;
  std::function<void()> run;
  int64_t most_launches;  // of ATen and of ours together
  std::map<std::string, int64_t> syncs;
  const char* reason;  // of the waits
};

// 120 presentations, 60 (a wide layer 300) features, 20 neuroids, 4 splits.
std::vector<Job> jobs() {
  const auto x = normal({120, 60}, 1).to(kDevice);
  const auto y =
      (at::mm(normal({120, 60}, 1), normal({60, 20}, 2)) + 5 * normal({120, 20}, 3)).to(kDevice);
  const auto wide = normal({120, 300}, 4).to(kDevice);
  const auto trials = (normal({1, 120, 20}, 5) + normal({7, 120, 20}, 6)).to(kDevice);
  const auto missing = at::where(normal({7, 120, 20}, 7).to(kDevice) > 1.2, NAN, trials);
  const auto splits = shuffle_splits(120, 4, 0.9, 1);
  const auto counts =
      bootstrap_counts(0, Axis::kPresentation, 0, 50, 120, y.options().dtype(at::kDouble));
  const auto truth = at::arange(120).remainder(3).to(kDevice);
  const auto mapped = [=](MappingKind kind, int64_t components, const at::Tensor& source) {
    return [=] {
      MappingOptions options;
      options.kind = kind;
      options.pls.n_components = components;
      predictivity(source, y, splits, options);
    };
  };
  const auto triangles = [=](const at::Tensor& values) {
    return upper_triangle(rdm(values)).unsqueeze(0);
  };
  InternalConsistencyOptions complete;
  complete.complete = true;
  complete.n_splits = 50;
  InternalConsistencyOptions incomplete;
  incomplete.n_splits = 10;
  return {
      {"PLS, 5 components", mapped(MappingKind::kPls, 5, x), 430, {}, ""},
      {"PLS, 6 components", mapped(MappingKind::kPls, 6, x), 490, {}, ""},
      {"PLS of a wide layer, 5 components",
       mapped(MappingKind::kPls, 5, wide),
       460,
       {{"item", 1}},
       "one question: whether the second factorisation failed"},
      {"ridge",
       mapped(MappingKind::kRidge, 0, x),
       125,
       {{"copy_ to the host", 1}},
       "one question for all splits: which are singular"},
      {"ridge of 99 penalties",
       mapped(MappingKind::kRidgeCv, 0, x),
       800,
       {{"_linalg_eigh", 4}, {"_linalg_svd", 4}},
       "CUDA's eigh and svd ask themselves, once a split"},
      {"RDMs, Spearman",
       [=] { compare_rdms(triangles(x), triangles(y), RdmComparison::kSpearman); },
       60,
       {},
       ""},
      {"RDMs, tau-a",
       [=] { compare_rdms(triangles(x), triangles(y), RdmComparison::kKendall); },
       370,
       {},
       ""},
      {"RDMs, 50 draws of stimuli",
       [=] { compare_rdms_draws(triangles(x), triangles(y), counts, RdmComparison::kPearson); },
       85,
       {},
       ""},
      {"CKA, unbiased",
       [=] {
         cka(centred_gram(x), centred_gram(y), at::ones({1, 120}, x.options()), /*unbiased=*/true);
       },
       150,
       {},
       ""},
      {"ceiling, 50 splits of complete trials",
       [=] { internal_consistency(trials, complete); },
       15,
       {},
       ""},
      {"ceiling, 10 splits, trials missing",
       [=] { internal_consistency(missing, incomplete); },
       210,
       {},
       ""},
      {"50 draws of presentations",
       [=] { weighted_pearson(counts, y, y + 1, std::nullopt); },
       40,
       {},
       ""},
      {"readout of 3 classes",
       [=] {
         const auto scaled = standardise(x, 90);
         fit_logistic(scaled.narrow(0, 0, 90), truth.narrow(0, 0, 90), 3, 1e-3);
       },
       80000,
       {},
       ""},
  };
}

TEST_F(DevicePath, NothingWaitsButWhatIsNamedAndFoldsRunInTheCaller) {
  set_thread_count(4);
  const std::set<std::thread::id> caller = {std::this_thread::get_id()};
  std::string table =
      "# What a job asks of a device\n\n"
      "Written by `emulated_device_path` (`CORTISCORE_LAUNCHES=FILE`), which counts on the "
      "emulated "
      "device of tests/emulated\nand fails beyond the bounds. ATen's leaf operators count one "
      "launch "
      "each. No GPU has run any of it. Jobs: 120\npresentations, 60 features (a wide layer 300), "
      "20 "
      "neuroids, 4 splits.\n\n"
      "| job | launches | of them ours | bound | uploads | the host waits for | why |\n"
      "|---|--:|--:|--:|--:|---|---|\n";
  for (const auto& job : jobs()) {
    SCOPED_TRACE(job.name);
    const auto work = asked(job.run);
    const auto own = emulated::total(emulated::launches());
    const auto launches = emulated::total(work.launches) + own;
    EXPECT_EQ(work.syncs, job.syncs);
    EXPECT_EQ(work.threads, caller);
    EXPECT_LE(launches, job.most_launches);
    std::string waits;
    for (const auto& [name, n] : work.syncs)
      waits += (waits.empty() ? "" : ", ") + std::to_string(n) + " " + name;
    table += std::string("| ") + job.name + " | " + std::to_string(launches) + " | " +
             std::to_string(own) + " | " + std::to_string(job.most_launches) + " | " +
             std::to_string(emulated::total(work.uploads)) + " | " +
             (waits.empty() ? "nothing" : waits) + " | " + job.reason + " |\n";
  }
  const char* const out = std::getenv("CORTISCORE_LAUNCHES");
  if (!out) return;
  std::FILE* const file = std::fopen(out, "w");
  ASSERT_TRUE(file);
  std::fputs(table.c_str(), file);
  std::fclose(file);
}

// --- threads and streams -------------------------------------------------------------------------

TEST_F(DevicePath, WorkersHaveTheCallersStream) {
  set_thread_count(4);
  const c10::Stream asked_for(c10::Stream::UNSAFE, kOther, 5);
  at::accelerator::setDeviceIndex(1);
  at::accelerator::setCurrentStream(asked_for);
  std::mutex mutex;
  std::set<std::thread::id> threads;
  const auto seen = [&] {
    return at::accelerator::getCurrentStream(at::accelerator::getDeviceIndex());
  };
  for (int round = 0; round < 3; ++round) {
    parallel_for(64, [&](int64_t) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const std::lock_guard<std::mutex> lock(mutex);
      threads.insert(std::this_thread::get_id());
      EXPECT_EQ(seen(), asked_for);
    });
  }
  EXPECT_GT(threads.size(), 1U);
  at::accelerator::setCurrentStream(c10::Stream(c10::Stream::DEFAULT, kOther));
  at::accelerator::setDeviceIndex(0);
  parallel_for(64, [&](int64_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::lock_guard<std::mutex> lock(mutex);
    EXPECT_EQ(seen(), c10::Stream(c10::Stream::DEFAULT, kDevice)) << "a worker kept what was";
  });
}

// --- devices, sizes, outcomes --------------------------------------------------------------------

TEST_F(DevicePath, KernelsServeTensorsOfOneDevice) {
  const auto x = normal({40, 3}, 1), keep = x > 0;
  const auto here = x.to(kDevice);
  const auto there = x.to(kOther);
  EXPECT_TRUE(fused::pearson_columns(here, here, std::nullopt));
  EXPECT_TRUE(fused::pearson_columns(there, there, keep.to(kOther)));
  EXPECT_FALSE(fused::pearson_columns(here, there, std::nullopt));
  EXPECT_FALSE(fused::pearson_columns(here, here, keep.to(kOther)));
  EXPECT_FALSE(fused::pearson_columns(here, here, keep));
  EXPECT_FALSE(fused::weighted_median(at::ones({1, 2, 5}, here.options()),
                                      at::ones({1, 5}, there.options())));
  auto g = at::ones({2, 3, 3}, here.options());
  EXPECT_FALSE(
      fused::rank2_update(g, at::ones({2, 3}, here.options()), at::ones({2, 3}, there.options())));
}

// Where no unit stands out there is no column, and the RDM is NaN: where the responses were.
TEST_F(DevicePath, AnRdmOfNothingIsWhereItsResponsesWere) {
  const auto nothing = rdm(at::empty({6, 0}, at::device(kDevice).dtype(at::kFloat)));
  EXPECT_EQ(nothing.device(), kDevice);
  EXPECT_EQ(nothing.scalar_type(), at::kDouble);
  EXPECT_TRUE(
      nothing.index_select(0, at::arange(3, at::device(kDevice))).isnan().cpu().all().item<bool>());
}

// Twice the same features, and a penalty below the rounding of X'X: Cholesky fails, and the answer
// is that of the CPU, which is scikit-learn's, to what the penalty leaves of rounding.
TEST_F(DevicePath, SingularRidgeIsTheCpus) {
  const auto half = normal({60, 16}, 1);
  const auto x = at::cat({half, half}, 1);
  const auto y = at::mm(half, normal({16, 3}, 2)) + normal({60, 3}, 3);
  const auto splits = shuffle_splits(60, 4, 0.8, 1);
  const RidgeOptions options{.alphas = {1e-16}};
  const auto expected = ridge_cross_validate(x, y, splits, options);
  const auto got = ridge_cross_validate(x.to(kDevice), y.to(kDevice), splits, options);
  for (size_t s = 0; s < splits.size(); ++s) {
    ASSERT_TRUE(expected.predictions[s].isfinite().all().item<bool>());
    const auto difference = (got.predictions[s].cpu() - expected.predictions[s]).abs().max();
    EXPECT_LT(difference.item<double>(), 1e-6);
  }
}

// Comparing all pairs would take 3 x 8 bytes for 512 rows of as many: 490 MB.
TEST_F(DevicePath, TauATakesMemoryForVectors) {
  constexpr int64_t kPairs = 40000;
  const auto a = (normal({kPairs}, 1) * 20).round(), b = (normal({kPairs}, 2) * 20).round() + a;
  const auto here = a.to(kDevice), there = b.to(kDevice);
  at::Tensor got;
  const auto work = asked([&] { got = kendall_tau_a(here, there); });
  EXPECT_LT(work.peak_bytes, 32 * 8 * kPairs);
  EXPECT_EQ(got.cpu().item<double>(), kendall_tau_a(a, b).item<double>());
}

}  // namespace
}  // namespace cortiscore
