#include "src/core/parallel.h"

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace cortiscore {
namespace {

// Every index once, for any number of threads, many short loops in a row.
void expect_each_once(int64_t n) {
  std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
  parallel_for(n, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
  for (const auto& count : seen) ASSERT_EQ(count, 1);
}

class Parallel : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { set_thread_count(GetParam()); }
  void TearDown() override { set_thread_count(0); }
};

TEST_P(Parallel, EveryIndexOnce) {
  for (const int64_t n : {0, 1, 2, 3, 7, 100}) {
    for (int repeat = 0; repeat < 300; ++repeat) expect_each_once(n);
  }
}

TEST_P(Parallel, TheFirstExceptionComesBackAndThePoolGoesOn) {
  for (int repeat = 0; repeat < 50; ++repeat) {
    EXPECT_THROW(parallel_for(20,
                              [](int64_t i) {
                                if (i == 7) throw std::runtime_error("seven");
                              }),
                 std::runtime_error);
    expect_each_once(20);
  }
}

TEST_P(Parallel, NestedLoopsAndSeveralCallersAtOnce) {
  std::vector<std::thread> callers;
  for (int c = 0; c < 3; ++c) {
    callers.emplace_back([] {
      for (int repeat = 0; repeat < 50; ++repeat)
        parallel_for(5, [](int64_t) { expect_each_once(9); });
    });
  }
  for (auto& caller : callers) caller.join();
}

TEST_P(Parallel, TheCallersThreadsAreItsOwn) {
  at::set_num_threads(2);
  parallel_for(8, [](int64_t) { EXPECT_EQ(at::get_num_threads(), 1); });
  EXPECT_EQ(at::get_num_threads(), 2);
  at::set_num_threads(1);
}

TEST_P(Parallel, ANumberOfThreadsSetElsewhereDoesNotReachALoop) {
  parallel_for(8, [](int64_t) {
    std::thread([] { at::set_num_threads(2); }).join();
    EXPECT_EQ(at::get_num_threads(), 1);
  });
  at::set_num_threads(1);
}

TEST_P(Parallel, AForkedChildHasItsOwnPool) {
  expect_each_once(10);
  const auto child = fork();
  if (child == 0) {
    alarm(20);
    expect_each_once(50);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

INSTANTIATE_TEST_SUITE_P(Threads, Parallel, testing::Values(1, 2, 3, 8));

}  // namespace
}  // namespace cortiscore
