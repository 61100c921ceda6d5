#include "optim/plateau.h"

#include <gtest/gtest.h>

#include <cmath>

namespace plateforge {
namespace {

std::deque<double> series(int64_t count, const std::function<double(int64_t)>& value) {
  std::deque<double> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(value(i));
  return values;
}

double falling_then_flat(int64_t i) {
  return i < 100 ? 1 - 0.005 * static_cast<double>(i) : (i % 2 ? 0.51 : 0.5);
}

// Golden values of a double-precision implementation of dlib/statistics/running_gradient.h.
struct Golden {
  std::string name;
  std::deque<double> values;
  int64_t simple, robust;
};

std::vector<Golden> golden_values() {
  auto spiked = series(200, falling_then_flat);
  spiked[150] = 50.0;
  return {
      {"falling line", series(100, [](auto i) { return 1 - 0.01 * double(i); }), 0, 0},
      {"rising line", series(100, [](auto i) { return 0.01 * double(i); }), 100, 100},
      {"constant", series(50, [](auto) { return 0.5; }), 50, 50},
      {"alternating", series(100, [](auto i) { return i % 2 ? 0.6 : 0.5; }), 100, 100},
      {"falling then flat", series(200, falling_then_flat), 102, 102},
      {"with a spike", spiked, 200, 102},
      {"exponential", series(200, [](auto i) { return std::exp(-double(i) / 20); }), 0, 0},
      {"short flat end", {.5, .45, .42, .41, .405, .403, .402, .401, .4015, .402}, 4, 4},
      {"short falling", {.5, .47, .43, .44, .38, .39, .35, .33, .31, .29}, 0, 0},
      {"short spiked", {.5, .45, .42, .41, .405, .8, .403, .402, .9, .401}, 10, 0},
  };
}

TEST(Plateau, CountersMatchDlib) {
  for (const Golden& golden : golden_values()) {
    EXPECT_EQ(count_steps_without_decrease(golden.values), golden.simple) << golden.name;
    EXPECT_EQ(count_steps_without_decrease_robust(golden.values), golden.robust) << golden.name;
  }
  EXPECT_EQ(count_steps_without_decrease_robust({}), 0);
}

OptimConfig plateau_config() {
  OptimConfig config;
  config.schedule = "plateau";
  config.lr = 0.1;
  config.min_lr = 0.01;
  config.plateau_patience = 300;
  config.plateau_factor = 0.5;
  return config;
}

TEST(Plateau, LowersTheRateOnlyWithoutProgressAndSaysWhy) {
  const auto schedule = make_schedule(plateau_config(), 0);
  for (int64_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(schedule->observe({std::exp(-static_cast<double>(i) / 200)}), "") << i;
  }
  EXPECT_EQ(schedule->lr(1000), 0.1);
  std::string told;
  for (int64_t i = 0; i < 600 && told.empty(); ++i) {
    told = schedule->observe({i % 2 ? 0.1 : 0.11});
  }
  EXPECT_EQ(schedule->lr(1600), 0.05);
  EXPECT_NE(told.find("lr 0.1 -> 0.05: no progress for 300 steps"), std::string::npos) << told;
}

TEST(Plateau, FinishesBelowTheSmallestRate) {
  const auto schedule = make_schedule(plateau_config(), 0);
  int64_t steps = 0;
  while (!schedule->finished() && steps < 10000) {
    const auto i = static_cast<double>(steps++);
    schedule->observe({0.2 + 0.1 * std::sin(i * i)});  // noise without a trend
  }
  EXPECT_LT(schedule->lr(steps), 0.01);
  EXPECT_LT(steps, 10 * 300);  // 0.1 -> 0.00625 takes four changes
}

TEST(Plateau, GoesOnExactlyAfterLoading) {
  const auto loss = [](int64_t i) {
    return 1 / (1 + 0.01 * static_cast<double>(i)) + 0.1 * static_cast<double>(i % 3);
  };
  const auto whole = make_schedule(plateau_config(), 0);
  auto parts = make_schedule(plateau_config(), 0);
  for (int64_t i = 0; i < 5000; ++i) {
    if (i == 777 || i == 2500) {
      const StateDict state = parts->state();
      parts = make_schedule(plateau_config(), 0);
      parts->load(state);
      EXPECT_LE(state.tensors.at("window").numel(), 300);
    }
    ASSERT_EQ(whole->observe({loss(i)}), parts->observe({loss(i)})) << i;
    ASSERT_EQ(whole->lr(i), parts->lr(i)) << i;
  }
}

}  // namespace
}  // namespace plateforge
