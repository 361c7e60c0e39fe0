// What the clock of stages says, on spans whose right division is written down here.
#include "src/profile/stage_times.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "src/core/parallel.h"
#include "src/model/layer_groups.h"

namespace cortiscore {
namespace {

StageSpan span(StageName stage,
               double begin_s,
               double end_s,
               int64_t thread = 0,
               int64_t depth = 0,
               const std::string& detail = "") {
  const auto ns = [](double s) { return static_cast<int64_t>(s * 1e9); };
  return {stage, detail, ns(begin_s), ns(end_s), thread, depth};
}

double of(const StageSeconds& seconds, StageName stage, const std::string& detail = "") {
  const auto found = seconds.find({stage, detail});
  return found == seconds.end() ? 0 : found->second;
}

TEST(StageSeconds, TheInnermostSpanHasTheTime) {
  const auto seconds =
      stage_seconds({span(StageName::kForward, 0, 10), span(StageName::kKeep, 2, 5, 0, 1, "a"),
                     span(StageName::kKeep, 6, 7, 0, 1, "b")});
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kForward), 6);
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kKeep, "a"), 3);
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kKeep, "b"), 1);
}

TEST(StageSeconds, ThreadsInTwoStagesShareTheClock) {
  const auto seconds =
      stage_seconds({span(StageName::kDecode, 0, 4, 0), span(StageName::kForward, 2, 6, 1)});
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kDecode), 3);
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kForward), 3);
}

TEST(StageSeconds, AThreadThatWaitsInOtherDoesNotCount) {
  const auto seconds =
      stage_seconds({span(StageName::kOther, 0, 10, 0), span(StageName::kForward, 1, 4, 1),
                     span(StageName::kForward, 2, 4, 2)});
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kForward), 3);
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kOther), 7);
}

TEST(StageSeconds, PartsAddUpToTheTimeThatAnyThreadWasInASpan) {
  std::vector<StageSpan> spans = {span(StageName::kOther, 0, 9, 0)};
  for (int i = 0; i < 40; ++i) {
    const double begin = 0.2 * i;
    spans.push_back(
        span(i % 2 ? StageName::kForward : StageName::kDecode, begin, begin + 0.5, 1 + i % 5));
    spans.push_back(span(StageName::kKeep, begin + 0.1, begin + 0.2, 1 + i % 5, 1));
  }
  double sum = 0;
  for (const auto s : by_stage(stage_seconds(spans))) sum += s;
  EXPECT_NEAR(sum, 9, 1e-9);
}

TEST(StageSeconds, SpansThatTouchOrAreEmptyLeaveNothingOpen) {
  const auto seconds =
      stage_seconds({span(StageName::kDecode, 0, 1), span(StageName::kPlace, 1, 1, 0, 0),
                     span(StageName::kForward, 1, 2), span(StageName::kStore, 5, 6)});
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kDecode), 1);
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kForward), 1);
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kStore), 1);
}

TEST(StageSeconds, SpansWithoutTimeAreNobodysWhateverTheirDepth) {
  const auto seconds =
      stage_seconds({span(StageName::kDecode, 0, 1, 0, 1), span(StageName::kKeep, 1, 1, 0, 2),
                     span(StageName::kOther, 0, 3, 0, 0), span(StageName::kForward, 1, 2, 0, 1)});
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kDecode), 1);
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kForward), 1);
  EXPECT_DOUBLE_EQ(of(seconds, StageName::kOther), 1);
  EXPECT_FALSE(seconds.contains({StageName::kKeep, ""}));
}

void nap() {
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

TEST(Stage, ThreadsOfALoopAreInTheStageOfTheirCaller) {
  const ThreadsHere four(4);
  StageLog log;
  {
    const Stage mapping(StageName::kMapping, "layer");
    parallel_for(8, [](int64_t) { nap(); });
  }
  std::vector<bool> seen(8);
  for (const auto& one : log.spans()) {
    EXPECT_EQ(one.stage, StageName::kMapping);
    EXPECT_EQ(one.detail, "layer");
    seen[static_cast<size_t>(one.thread)] = true;
  }
  EXPECT_TRUE(seen[1]) << "a second thread";
  EXPECT_LT(of(stage_seconds(log.spans()), StageName::kMapping, "layer"), 8 * 5e-3)
      << "shared, not added";
}

TEST(Stage, WhatACeilingMapsAndDrawsIsItsOwn) {
  StageLog log;
  {
    const Stage ceiling(StageName::kCeiling);
    const Stage mapping(StageName::kMapping, "layer");
    const Stage drawing(StageName::kResample);
    nap();
  }
  ASSERT_EQ(log.spans().size(), 1U);
  EXPECT_EQ(log.spans()[0].stage, StageName::kCeiling);
}

TEST(Stage, LaunchesThatAreRecordedAreNotWaitedFor) {
  int waits = 0;
  StageLog log([&] { ++waits; });
  {
    const StagesOff recording;
    const Stage forward(StageName::kForward);
  }
  EXPECT_EQ(waits, 0);
  EXPECT_TRUE(log.spans().empty());
  { const Stage forward(StageName::kForward); }
  EXPECT_EQ(waits, 2) << "at its beginning and at its end";
}

TEST(Stage, WithoutALogNothingIsKept) {
  { StageLog first; }
  const Stage forward(StageName::kForward);
  EXPECT_FALSE(Stage::kept());
  EXPECT_FALSE(Stage::here().any);
  StageLog second;
  EXPECT_TRUE(second.spans().empty());
}

TEST(LayerGroups, AreBlocksWhereThereAreFewAndStagesWhereThereAreMany) {
  const std::vector<std::pair<std::string, int64_t>> ends = {
      {"conv1", 0},    {"bn1", 1},      {"relu", 2},   {"layer1.0.conv1", 3},
      {"layer1.0", 5}, {"layer1.1", 7}, {"layer1", 7}, {"fc@0", 8}};
  const std::vector<std::string> blocks = {"conv1",    "bn1",      "relu",     "layer1.0",
                                           "layer1.0", "layer1.0", "layer1.1", "layer1.1",
                                           "fc",       "output"};
  auto groups = layer_groups(ends, 10, 7);
  EXPECT_EQ(groups, blocks);
  groups = layer_groups(ends, 10, 6);
  EXPECT_EQ(groups[3], "layer1");
  EXPECT_EQ(groups[7], "layer1");
}

}  // namespace
}  // namespace cortiscore
