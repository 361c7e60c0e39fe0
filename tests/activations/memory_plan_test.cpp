// Plans of random jobs keep their promise; what cannot be planned says what would do.
#include "src/activations/memory_plan.h"

#include <random>

#include <gtest/gtest.h>

#include "cortiscore/error.h"
#include "src/core/parallel.h"

namespace cortiscore {
namespace {

constexpr int64_t kMiB = 1 << 20;

// As coordinates of n stimuli take it.
LayerToPlan raw_layer(int64_t n, int64_t p) {
  return {std::to_string(p), p, false, true, {n * n * 8, 6 * n * n * 8}};
}

PlanLimits limits_of(int64_t n, int64_t allowed) {
  PlanLimits limits;
  limits.network = "net";
  limits.n_stimuli = n;
  limits.lane_bytes = 3 * kMiB;
  limits.most_lanes = 2;
  limits.allowed_bytes = allowed;
  return limits;
}

TEST(MemoryPlan, EveryLayerOnceInOrderAndWithinWhatIsAllowed) {
  std::mt19937 random(1);
  const auto up_to = [&](int64_t most) { return static_cast<int64_t>(random() % most) + 1; };
  int64_t spilled = 0, by_passes = 0, resident = 0;
  for (int trial = 0; trial < 1000; ++trial) {
    const int64_t n = up_to(300), allowed = (100 + up_to(400)) * kMiB;
    auto limits = limits_of(n, allowed);
    limits.n_reference = trial % 4 == 0 ? 200 : 0;
    if (trial % 3 == 0) limits.spill_bytes = up_to(300) * kMiB;
    std::vector<LayerToPlan> layers;
    for (int64_t l = up_to(12); l > 0; --l) {
      layers.push_back(raw_layer(n, up_to(300000)));
      layers.back().spanned = limits.n_reference > 0 && layers.back().n_features > 200;
    }
    const auto plan = plan_memory(layers, limits);
    EXPECT_LE(plan.bytes, allowed);
    EXPECT_GE(plan.lanes, 1);
    size_t next = 0;
    for (const auto& step : plan.steps) {
      for (const auto place : step.layers) EXPECT_EQ(place, next++);
      if (step.way == MemoryPlan::Way::kResident) {
        ++resident;
        continue;
      }
      ASSERT_EQ(step.layers.size(), 1U);
      const auto& layer = layers[step.layers[0]];
      if (step.way == MemoryPlan::Way::kSpilled) {
        ++spilled;
        EXPECT_LE(n * layer.n_features * 4, *limits.spill_bytes);
        EXPECT_FALSE(layer.spanned);
      } else {
        ++by_passes;
        EXPECT_EQ(step.width % 4096, 0);
        EXPECT_GE(step.width * step.sweep_passes, layer.n_features);
        EXPECT_LT(step.width * (step.sweep_passes - 1), layer.n_features);
      }
    }
    EXPECT_EQ(next, layers.size());
  }
  EXPECT_GT(std::min({spilled, by_passes, resident}), 20);  // every way was tried
}

// Two reductions that take 20 MiB each on the way: side by side where that leaves room for columns,
// one after the other where it would double the passes.
TEST(MemoryPlan, ReductionsInStepWhereThereIsRoom) {
  const int64_t n = 640, p = 100000, block = n * 4096 * 4;
  auto layer = raw_layer(n, p);
  layer.reduced = {10 * kMiB, 20 * kMiB};
  layer.in_step = 20 * kMiB;
  const int64_t fixed = 30 * kMiB + 6 * kMiB;  // kept, working and two micro-batches
  const auto roomy = plan_memory({layer}, limits_of(n, fixed + 20 * kMiB + 5 * block));
  ASSERT_EQ(roomy.steps.size(), 1U);
  EXPECT_TRUE(roomy.steps[0].in_step);
  EXPECT_EQ(roomy.steps[0].width, 5 * 4096);
  EXPECT_EQ(roomy.bytes, fixed + 20 * kMiB + 5 * block);
  const auto tight = plan_memory({layer}, limits_of(n, fixed + 20 * kMiB));
  EXPECT_FALSE(tight.steps[0].in_step);
  EXPECT_EQ(tight.steps[0].width, 2 * 4096);
  EXPECT_EQ(tight.bytes, fixed + 2 * block);
}

// 640 stimuli x 100,000 features are 256,000,000 bytes; coordinates keep 3.3 MB and take 19.7 MB on
// the way.
TEST(MemoryPlan, CountsByHand) {
  const int64_t n = 640, p = 100000;
  const int64_t all = n * p * 4, kept = n * n * 8;
  auto limits = limits_of(n, all + 7 * kept + 6 * kMiB);
  auto plan = plan_memory({raw_layer(n, p)}, limits);
  ASSERT_EQ(plan.steps.size(), 1U);
  EXPECT_EQ(plan.steps[0].way, MemoryPlan::Way::kResident);
  EXPECT_EQ(plan.lanes, 2);
  EXPECT_EQ(plan.bytes, limits.allowed_bytes);
  limits.allowed_bytes -= 1;
  plan = plan_memory({raw_layer(n, p)}, limits);
  EXPECT_EQ(plan.steps[0].way, MemoryPlan::Way::kPasses);
  EXPECT_EQ(plan.steps[0].sweep_passes, 2);
  EXPECT_EQ(plan.steps[0].width, 13 * 4096);  // half of them, to the next block
  limits.spill_bytes = all;
  plan = plan_memory({raw_layer(n, p)}, limits);
  EXPECT_EQ(plan.steps[0].way, MemoryPlan::Way::kSpilled);
  EXPECT_EQ(plan.spilled_bytes, all);
  // Two that fit one by one take two passes; what the first gave is still there in the second.
  limits.spill_bytes.reset();
  limits.allowed_bytes = all + 9 * kept + 6 * kMiB;
  plan = plan_memory({raw_layer(n, p), raw_layer(n, p)}, limits);
  ASSERT_EQ(plan.steps.size(), 2U);
  EXPECT_EQ(plan.bytes, all + 8 * kept + 6 * kMiB);
}

TEST(MemoryPlan, FewerMicroBatchesAtOnceWhereTheyAreLarge) {
  auto limits = limits_of(100, 1000 * kMiB);
  limits.most_lanes = 16;
  limits.lane_bytes = 100 * kMiB;
  EXPECT_EQ(plan_memory({raw_layer(100, 1000)}, limits).lanes, 5);
  limits.lane_bytes = 900 * kMiB;
  EXPECT_EQ(plan_memory({raw_layer(100, 1000)}, limits).lanes, 1);
}

std::string refusal(const LayerToPlan& layer, const PlanLimits& limits) {
  try {
    plan_memory({layer}, limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kOutOfMemory);
    return error.what();
  }
  return "planned";
}

TEST(MemoryPlan, SaysWhatWouldDo) {
  auto limits = limits_of(640, 8 * kMiB);
  EXPECT_NE(refusal(raw_layer(640, 100000), limits).find("--memory-gib"), std::string::npos);
  auto layer = raw_layer(640, 100000);
  layer.by_columns = false;
  limits.allowed_bytes = 100 * kMiB;
  EXPECT_NE(refusal(layer, limits).find("needed whole"), std::string::npos);
  limits.lane_bytes = 101 * kMiB;
  EXPECT_NE(refusal(layer, limits).find("one micro-batch holds 101 MiB"), std::string::npos);
  limits.lane_bytes = 0;
  EXPECT_NE(refusal(raw_layer(640, int64_t{1} << 30), limits).find("forward passes"),
            std::string::npos);
  // What the message asks for is enough: less is refused, that is planned.
  limits.allowed_bytes = 1000 * kMiB;
  EXPECT_EQ(refusal(raw_layer(640, 30'000'000), limits), "planned");
}

}  // namespace
}  // namespace cortiscore
