#include "compress/prune/sparsity_schedule.h"

#include <gtest/gtest.h>

#include "configs/error.h"

namespace plateforge {
namespace {

std::vector<int64_t> cuts(const SparsitySchedule& schedule, int64_t steps) {
  std::vector<int64_t> found;
  for (int64_t step = 0; step <= steps; ++step)
    if (schedule.cuts_at(step)) found.push_back(step);
  return found;
}

TEST(SparsitySchedule, CubicIsSteepFirst) {
  const SparsitySchedule schedule({.schedule = "cubic", .begin = 10, .end = 30, .every = 10}, 40);
  EXPECT_EQ(cuts(schedule, 40), (std::vector<int64_t>{10, 20, 30}));
  EXPECT_EQ(schedule.ratio(0.8, 9), 0);
  EXPECT_DOUBLE_EQ(schedule.ratio(0.8, 25), 0.8 * 0.875);
  EXPECT_EQ(schedule.ratio(0.8, 40), 0.8);
  EXPECT_FALSE(schedule.finished(29));
  EXPECT_TRUE(schedule.finished(30));
}

TEST(SparsitySchedule, ExponentialAndIterativeTakeEqualSharesOfTheRest) {
  const SparsitySchedule exponential(
      {.schedule = "exponential", .begin = 0, .end = 20, .every = 10}, 20);
  EXPECT_NEAR(exponential.ratio(0.75, 10), 0.5, 1e-12);
  const SparsitySchedule iterative({.schedule = "iterative", .begin = 0, .end = 30, .rounds = 3},
                                   40);
  EXPECT_EQ(cuts(iterative, 40), (std::vector<int64_t>{0, 15, 30}));
  EXPECT_NEAR(iterative.ratio(0.875, 0), 0.5, 1e-12);
  EXPECT_NEAR(iterative.ratio(0.875, 15), 0.75, 1e-12);
  EXPECT_EQ(iterative.ratio(0.875, 30), 0.875);
}

TEST(SparsitySchedule, OneShotAndMultiStepCutWhereTheyAreTold) {
  const SparsitySchedule once({.schedule = "one_shot", .begin = 5}, 10);
  EXPECT_EQ(cuts(once, 10), std::vector<int64_t>{5});
  EXPECT_EQ(once.ratio(0.5, 5), 0.5);
  const SparsitySchedule steps({.schedule = "multi_step", .milestones = {2, 6}}, 10);
  EXPECT_EQ(cuts(steps, 10), (std::vector<int64_t>{2, 6}));
  EXPECT_DOUBLE_EQ(steps.ratio(0.5, 3), 0.25);
}

TEST(SparsitySchedule, EndsAtTwoThirdsOfTheRunByDefault) {
  const SparsitySchedule schedule({.schedule = "cubic"}, 300);
  EXPECT_FALSE(schedule.finished(199));
  EXPECT_TRUE(schedule.finished(200));
}

TEST(SparsitySchedule, RefusesWhatCannotBeFollowed) {
  EXPECT_THROW(SparsitySchedule({.schedule = "cubic", .end = 50}, 40), Error);
  EXPECT_THROW(SparsitySchedule({.schedule = "cubic", .begin = 30, .end = 20}, 40), Error);
  EXPECT_THROW(SparsitySchedule({.schedule = "multi_step"}, 40), Error);
  EXPECT_THROW(SparsitySchedule({.schedule = "multi_step", .milestones = {6, 2}}, 40), Error);
  EXPECT_THROW(SparsitySchedule({.schedule = "one_shot", .begin = 41}, 40), Error);
}

}  // namespace
}  // namespace plateforge
