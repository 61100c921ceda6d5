#include "compress/quantize/observers.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <numeric>

#include "configs/error.h"

namespace plateforge {
namespace {

TensorStatistics seen(const torch::Tensor& x) {
  TensorStatistics statistics;
  statistics.add_ranges(x);
  statistics.add_histogram(x);
  return statistics;
}

double error(const torch::Tensor& x, ValueRange range, const QuantizerType& type) {
  const auto [scale, zero_point] = quantizer_scale(range, type);
  const auto y = torch::fake_quantize_per_tensor_affine(x, scale, zero_point, type.low, type.high);
  return (x - y).square().mean().item<double>();
}

double mass(const Histogram& histogram) {
  return std::accumulate(histogram.counts.begin(), histogram.counts.end(), 0.0);
}

// 99,999 values spread over [0, 1] and one outlier.
torch::Tensor with_outlier() {
  auto x = torch::linspace(0.001, 1, 100000).reshape({10, 10000});
  x[3][5000] = 30;
  return x;
}

TEST(Observers, RangesOfTwoSamples) {
  const auto statistics = seen(torch::tensor({{0.0F, 1.0F}, {-2.0F, 4.0F}}));
  const auto expect = [&](Observer observer, double low, double high) {
    const auto range = observe(statistics, observer, kUint8);
    EXPECT_NEAR(range.low, low, 1e-6) << observer_name(observer);
    EXPECT_NEAR(range.high, high, 1e-6) << observer_name(observer);
  };
  expect(Observer::min_max, -2, 4);
  expect(Observer::mean_min_max, -1, 2.5);
  expect(Observer::moving_average, -0.02, 1.03);
}

TEST(Observers, HistogramsClipWhatMinMaxKeeps) {
  const auto x = with_outlier();
  const auto statistics = seen(x);
  for (const auto observer : {Observer::percentile, Observer::kl}) {
    const auto range = observe(statistics, observer, kUint8);
    EXPECT_EQ(range.low, 0) << observer_name(observer);
    EXPECT_LT(range.high, 8) << observer_name(observer);
    EXPECT_GT(range.high, 0.9) << observer_name(observer);
  }
  // (30 - h)^2 + 1e5 (h / 255)^2 / 12 is least at h = 30 / (1 + 1e5 / (12 * 255^2)) = 26.6.
  const auto range = observe(statistics, Observer::mse, kUint8);
  EXPECT_NEAR(range.high, 26.6, 0.3);  // tries lie 2 % of 30 apart
  const auto whole = observe(statistics, Observer::min_max, kUint8);
  EXPECT_LT(error(x, range, kUint8), error(x, whole, kUint8));
}

TEST(Observers, LeastSquaresIsNearTheBestOfAFineSweep) {
  torch::manual_seed(1);
  const auto x = torch::randn({8, 20000}).pow(3);  // heavy tails on both sides
  const auto statistics = seen(x);
  for (const auto& type : {kUint8, kInt8}) {
    const auto chosen = error(x, observe(statistics, Observer::mse, type), type);
    const auto [low, high] = statistics.range();
    auto best = error(x, {low, high}, type);
    for (double share = 0.02; share < 1; share += 0.01) {
      best = std::min(best, error(x, {low * share, high * share}, type));
    }
    EXPECT_LT(chosen, 1.05 * best);
  }
}

TEST(Observers, ZerosDoNotWidenOrNarrow) {
  const auto values = torch::linspace(0.5, 2, 4000).reshape({2, 2000});
  const auto many_zeros = torch::cat({values, torch::zeros({2, 50000})}, 1);
  EXPECT_EQ(observe(seen(values), Observer::mse, kUint8).high,
            observe(seen(many_zeros), Observer::mse, kUint8).high);
  EXPECT_EQ(seen(many_zeros).histogram().zeros, 100000);
}

TEST(Observers, NegativeOnlyAndConstantTensors) {
  for (const auto& name : observer_names()) {
    const auto observer = find_observer(name);
    const auto constant = observe(seen(torch::full({2, 9}, 3.0F)), observer, kUint8);
    EXPECT_NEAR(quantizer_scale(constant, kUint8).scale * 255, 3, 3 * 0.03) << name;
    const auto zeros = observe(seen(torch::zeros({2, 9})), observer, kUint8);
    EXPECT_EQ(quantizer_scale(zeros, kUint8).scale, 1) << name;
    const auto negative = observe(seen(-with_outlier()), observer, kUint8);
    EXPECT_LE(negative.high, 0) << name;
    EXPECT_LT(negative.low, -0.4) << name;
  }
}

TEST(Observers, MergedStatisticsAreThoseOfBothTensors) {
  torch::manual_seed(2);
  const auto a = torch::rand({5, 1000}), b = torch::randn({5, 1000}) * 4;
  auto merged = seen(a);
  merged.merge(seen(b));
  const auto both = seen(torch::cat({a, b}, 1));
  EXPECT_EQ(merged.lows(), both.lows());
  EXPECT_EQ(merged.highs(), both.highs());
  EXPECT_NEAR(mass(merged.histogram()), mass(both.histogram()), 1e-6);
  const auto apart = observe(merged, Observer::mse, kUint8),
             whole = observe(both, Observer::mse, kUint8);
  EXPECT_NEAR(apart.low, whole.low, 0.03 * (whole.high - whole.low));
  EXPECT_NEAR(apart.high, whole.high, 0.03 * (whole.high - whole.low));
}

TEST(Observers, SpreadingAndFoldingKeepEveryValue) {
  const auto histogram = seen(torch::randn({2, 5000})).histogram();
  const auto wide = histogram.spread_over(-10, 7);
  EXPECT_NEAR(mass(wide), mass(histogram), 1e-6);
  EXPECT_NEAR(mass(histogram.folded()), mass(histogram), 1e-6);
  EXPECT_EQ(histogram.folded().low, 0);
}

TEST(Observers, NotANumberIsNotFinite) {
  auto x = torch::zeros({2, 3});
  x[1][1] = NAN;
  TensorStatistics statistics;
  statistics.add_ranges(x);
  EXPECT_FALSE(statistics.finite());
}

TEST(Observers, UnknownNameListsTheKnown) {
  try {
    find_observer("mean-minmax");
    FAIL();
  } catch (const Error& problem) {
    EXPECT_STREQ(problem.what(),
                 "unknown observer 'mean-minmax'; did you mean 'mean-min-max'? known: min-max, "
                 "mean-min-max, moving-average, percentile, mse, kl");
  }
}

}  // namespace
}  // namespace plateforge
