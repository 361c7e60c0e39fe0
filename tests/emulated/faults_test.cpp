// The emulated device itself: it runs what is right, and sees what is wrong.
#include "tests/emulated/faults.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "tests/emulated/device.h"
#include "tests/kernels/kernel_test.h"

namespace cortiscore {
namespace {

constexpr cudaError_t kSeen = cudaErrorLaunchFailure;

std::vector<double> counted(size_t n) {
  std::vector<double> values(n);
  std::iota(values.begin(), values.end(), 0);
  return values;
}

TEST(EmulatedDevice, RunsBarriersInEveryOrder) {
  for (const int n : {1, 31, 32, 33, 256, 1024}) {
    DeviceArray<double> values(counted(static_cast<size_t>(n)));
    ASSERT_EQ(faults::reverse(values.get(), n, true), cudaSuccess);
    const auto got = values.host();
    for (int i = 0; i < n; ++i) EXPECT_EQ(got[static_cast<size_t>(i)], n - 1 - i);
  }
}

TEST(EmulatedDevice, SeesARaceInSharedMemory) {
  DeviceArray<double> values(64);
  EXPECT_EQ(faults::reverse(values.get(), 64, false), kSeen);
}

TEST(EmulatedDevice, SeesBarriersThatDiverge) {
  DeviceArray<double> out(64);
  EXPECT_EQ(faults::divergent_barrier(out.get(), 64), kSeen);
  EXPECT_EQ(faults::divergent_barrier(out.get(), 16), cudaSuccess);
  EXPECT_EQ(faults::barrier_after_return(out.get(), 32), kSeen);
  EXPECT_EQ(faults::barrier_after_return(out.get(), 3), cudaSuccess);
}

TEST(EmulatedDevice, SeesSharedMemoryThatNothingSet) {
  DeviceArray<double> out(32);
  EXPECT_EQ(faults::unset_shared(out.get()), kSeen);
}

TEST(EmulatedDevice, SeesBlocksThatWriteTheSamePlace) {
  DeviceArray<double> out(1);
  EXPECT_EQ(faults::blocks_meet(out.get(), 2), kSeen);
  EXPECT_EQ(faults::blocks_meet(out.get(), 1), cudaSuccess);
}

#ifdef CORTISCORE_EMULATED_TSAN
TEST(EmulatedDevice, SeesRacesThatNoOrderShows) {
  DeviceArray<double> out(64);
  EXPECT_EQ(faults::same_value(out.get(), 64), kSeen);
  EXPECT_EQ(faults::same_value(out.get(), 1), cudaSuccess);
}
#endif

TEST(EmulatedDevice, CountsWithAtomics) {
  DeviceArray<unsigned> out(std::vector<unsigned>{7});
  ASSERT_EQ(faults::counts(out.get(), 5, 96), cudaSuccess);
  EXPECT_EQ(out.host()[0], 7U + 5 * 96);
}

TEST(EmulatedDevice, ExchangesWithinWarps) {
  DeviceArray<double> in(counted(256)), out(8);
  ASSERT_EQ(faults::warp_sums(in.get(), out.get(), 8), cudaSuccess);
  const auto got = out.host();
  for (size_t w = 0; w < 8; ++w)
    EXPECT_EQ(got[w], 32 * 32.0 * static_cast<double>(w) + 31 * 32 / 2);
  DeviceArray<double> up(32), swapped(32), first(32);
  ASSERT_EQ(faults::warp_neighbours(in.get(), up.get(), swapped.get(), first.get()), cudaSuccess);
  for (size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(up.host()[i], static_cast<double>(i ? i - 1 : 0));
    EXPECT_EQ(swapped.host()[i], static_cast<double>(i ^ 1U));
    EXPECT_EQ(first.host()[i], 0);
  }
}

TEST(EmulatedDevice, SeesWarpsThatAreNotAllThere) {
  DeviceArray<double> values(counted(32));
  EXPECT_EQ(faults::half_a_warp(values.get()), kSeen);
}

TEST(EmulatedDevice, WarpsAreNotInStep) {
  DeviceArray<double> values(counted(32));
  EXPECT_EQ(faults::warp_copies(values.get(), true), cudaSuccess);
  EXPECT_EQ(values.host()[0], 31);
  EXPECT_EQ(faults::warp_copies(values.get(), false), kSeen);
}

TEST(EmulatedDevice, RefusesWhatADeviceRefuses) {
  DeviceArray<double> out(1024);
  EXPECT_EQ(faults::bounded(out.get(), 64), cudaSuccess);
  EXPECT_EQ(faults::bounded(out.get(), 65), kSeen);
  EXPECT_EQ(faults::grid(out.get(), 65535), cudaSuccess);
  EXPECT_EQ(faults::grid(out.get(), 65536), cudaErrorInvalidConfiguration);
  EXPECT_EQ(faults::grid(out.get(), 0), cudaErrorInvalidConfiguration);
  EXPECT_EQ(faults::reverse(out.get(), 1025, true), cudaErrorInvalidConfiguration);
  EXPECT_EQ(faults::shared(out.get(), 49152, 0), cudaSuccess);
  EXPECT_EQ(faults::shared(out.get(), 49153, 0), cudaErrorInvalidValue);
  const auto most = emulated::limits().shared_optin;
  EXPECT_EQ(faults::shared(out.get(), most, static_cast<int>(most)), cudaSuccess);
  EXPECT_EQ(faults::shared(out.get(), most, static_cast<int>(most) + 1), cudaErrorInvalidValue);
}

TEST(EmulatedDevice, ChecksCopies) {
  DeviceArray<double> four(4);
  std::vector<double> host(8);
  EXPECT_EQ(cudaMemcpy(host.data(), four.get(), 40, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(four.get(), host.data(), 8, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(host.data()), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
}

#ifdef CORTISCORE_EMULATED_ASAN
using EmulatedDeviceDeathTest = testing::Test;

TEST_F(EmulatedDeviceDeathTest, SeesAccessesOutOfPlace) {
  DeviceArray<double> values(32);
  ASSERT_EQ(faults::writes_past(values.get(), 32, 0), cudaSuccess);
  ASSERT_EQ(faults::shared_past(values.get(), 32 * sizeof(double)), cudaSuccess);
  EXPECT_DEATH(faults::writes_past(values.get(), 32, 1), "heap-buffer-overflow");
  EXPECT_DEATH(faults::shared_past(values.get(), 31 * sizeof(double)), "heap-buffer-overflow");
  EXPECT_DEATH(*values.get() = 1, "use-after-poison");  // the host's own access
}
#endif

}  // namespace
}  // namespace cortiscore
