#include "optim/lr_find.h"

#include <gtest/gtest.h>

#include <cmath>

#include "configs/error.h"

namespace plateforge {
namespace {

TEST(LrRangeTest, RatesGrowGeometrically) {
  LrRangeTest test({.start = 1e-4, .end = 1, .steps = 8});
  EXPECT_DOUBLE_EQ(test.lr(), 1e-4);
  EXPECT_TRUE(test.add(1));
  EXPECT_TRUE(test.add(1));
  EXPECT_NEAR(test.lr(), 1e-3, 1e-15);
  for (int i = 2; i < 7; ++i) EXPECT_TRUE(test.add(1)) << i;
  EXPECT_FALSE(test.add(1));
  EXPECT_EQ(test.rates().size(), 8U);
}

TEST(LrRangeTest, SmoothsWithBiasCorrection) {
  LrRangeTest test({.steps = 10});
  test.add(2);
  test.add(4);
  EXPECT_DOUBLE_EQ(test.losses()[0], 2);
  EXPECT_NEAR(test.losses()[1], (0.98 * 2 + 4) / 1.98, 1e-12);
}

TEST(LrRangeTest, StopsWhenTheLossDiverges) {
  LrRangeTest test({.steps = 100});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(test.add(1));
  EXPECT_FALSE(test.add(1000));
  LrRangeTest broken({.steps = 100});
  ASSERT_TRUE(broken.add(1));
  EXPECT_FALSE(broken.add(std::nan("")));
  EXPECT_EQ(broken.losses().size(), 1U);  // the plot stays finite
}

TEST(LrRangeTest, RefusesAnImpossibleRange) {
  EXPECT_THROW(LrRangeTest({.start = 1, .end = 0.1}), Error);
  EXPECT_THROW(LrRangeTest({.start = 0}), Error);
  EXPECT_THROW(LrRangeTest({.steps = 5}), Error);
}

// Values of the formulas of fastai/callback/schedule.py, computed with numpy for the same lists.
TEST(LrSuggestions, RulesMatchFastai) {
  std::vector<double> rates, losses;
  for (int i = 0; i < 60; ++i) {
    const double x = i / 10.0;
    rates.push_back(1e-6 * std::pow(10, x));
    losses.push_back(3 - 2 / (1 + std::exp(-(x - 1.5) * 5)) + 0.002 * std::exp(6 * (x - 5.2)));
  }
  EXPECT_EQ(lr_valley(losses), 20U);
  EXPECT_EQ(lr_steep(rates, losses), 14U);
  ASSERT_TRUE(lr_slide(rates, losses).has_value());
  EXPECT_NEAR(*lr_slide(rates, losses) / 0.01, 1, 1e-9);
  EXPECT_FALSE(lr_slide({1, 2}, {1, 2}).has_value());
}

TEST(LrSuggestions, LieOnTheFallingSide) {
  LrRangeTest test({.start = 1e-6, .end = 10, .steps = 100});
  for (bool more = true; more;) {
    const double x = std::log10(test.lr());
    more = test.add(1 + 1 / (1 + std::exp(4 * (x + 3))) + std::exp(6 * x));
  }
  const auto suggestions = suggest_lr(test, 100);
  EXPECT_GT(suggestions.valley, 1e-4);
  EXPECT_LT(suggestions.valley, 1e-1);
  EXPECT_GT(suggestions.steep, 1e-4);
  EXPECT_LT(suggestions.steep, 1e-1);
  EXPECT_LT(suggestions.minimum, 1e-1);
}

TEST(LrSuggestions, NeedEnoughRecords) {
  LrRangeTest test({.steps = 100});
  for (int i = 0; i < 12; ++i) test.add(1);
  EXPECT_THROW(suggest_lr(test, 100), Error);
}

}  // namespace
}  // namespace plateforge
