#include "optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "configs/error.h"

namespace plateforge {
namespace {

OptimConfig config_of(const std::string& schedule) {
  OptimConfig config;
  config.schedule = schedule;
  config.lr = 0.01;
  return config;
}

// fastai: combine_scheds([.25, .75], [SchedCos(lr/25, lr), SchedCos(lr, lr/1e5)]).
TEST(Schedule, OneCycleHasFastaisShape) {
  const auto schedule = make_schedule(config_of("one_cycle"), 1000);
  EXPECT_DOUBLE_EQ(schedule->lr(0), 0.01 / 25);
  EXPECT_DOUBLE_EQ(schedule->lr(125), (0.01 / 25 + 0.01) / 2);
  EXPECT_DOUBLE_EQ(schedule->lr(250), 0.01);
  EXPECT_DOUBLE_EQ(schedule->lr(625), (0.01 + 0.01 / 1e5) / 2);
  EXPECT_NEAR(schedule->lr(1000), 0.01 / 1e5, 1e-15);
  EXPECT_EQ(schedule->lr(2000), schedule->lr(1000));
  EXPECT_DOUBLE_EQ(schedule->beta1(0), 0.95);
  EXPECT_DOUBLE_EQ(schedule->beta1(250), 0.85);
  EXPECT_DOUBLE_EQ(schedule->beta1(1000), 0.95);
}

TEST(Schedule, OneCycleWithoutARiseStartsAtThePeak) {
  auto config = config_of("one_cycle");
  config.one_cycle_pct_start = 0;
  EXPECT_DOUBLE_EQ(make_schedule(config, 100)->lr(0), 0.01);
}

TEST(Schedule, CosineWarmsUpAndFallsToTheFloor) {
  auto config = config_of("cosine");
  config.warmup_steps = 10;
  config.min_lr = 1e-4;
  const auto schedule = make_schedule(config, 110);
  EXPECT_DOUBLE_EQ(schedule->lr(0), 0.001);
  EXPECT_DOUBLE_EQ(schedule->lr(9), 0.01);
  EXPECT_DOUBLE_EQ(schedule->lr(10), 0.01);
  EXPECT_DOUBLE_EQ(schedule->lr(60), (0.01 + 1e-4) / 2);
  EXPECT_NEAR(schedule->lr(110), 1e-4, 1e-15);
  EXPECT_EQ(schedule->beta1(60), 0.9);
}

TEST(Schedule, StepDropsAtTheMilestones) {
  auto config = config_of("step");
  config.step_milestones = {100, 200};
  const auto schedule = make_schedule(config, 300);
  EXPECT_DOUBLE_EQ(schedule->lr(99), 0.01);
  EXPECT_DOUBLE_EQ(schedule->lr(100), 0.001);
  EXPECT_DOUBLE_EQ(schedule->lr(200), 0.0001);
}

TEST(Schedule, ConstantWarmsUp) {
  auto config = config_of("constant");
  config.warmup_steps = 4;
  const auto schedule = make_schedule(config, 100);
  EXPECT_DOUBLE_EQ(schedule->lr(0), 0.0025);
  EXPECT_DOUBLE_EQ(schedule->lr(50), 0.01);
}

TEST(Schedule, UnknownNameListsTheKnownOnes) {
  try {
    make_schedule(config_of("cyclic"), 1);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("one_cycle"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace plateforge
