#include "compress/quantize/quantizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace plateforge {
namespace {

TEST(Quantizer, RangeBehindAReluUsesEveryStep) {
  const auto [scale, zero_point] = quantizer_scale({0, 2.55}, kUint8);
  EXPECT_DOUBLE_EQ(scale, 0.01);
  EXPECT_EQ(zero_point, 0);
}

TEST(Quantizer, ZeroIsExactAndOneBorderMovesOutward) {
  const auto exact = quantizer_scale({-1, 1.55}, kUint8);
  EXPECT_DOUBLE_EQ(exact.scale, 0.01);
  EXPECT_EQ(exact.zero_point, 100);
  // 127.5 steps below zero become 128, so the upper side has 127 and needs wider ones.
  const auto moved = quantizer_scale({-1, 1}, kUint8);
  EXPECT_EQ(moved.zero_point, 128);
  EXPECT_DOUBLE_EQ(moved.scale, 1.0 / 127);
  EXPECT_LE(-static_cast<double>(moved.zero_point) * moved.scale, -1);
}

TEST(Quantizer, RangeIsWidenedToHoldZero) {
  const auto above = quantizer_scale({5, 10}, kUint8);
  EXPECT_EQ(above.zero_point, 0);
  EXPECT_DOUBLE_EQ(above.scale, 10.0 / 255);
  const auto below = quantizer_scale({-10, -5}, kUint8);
  EXPECT_EQ(below.zero_point, 255);
}

TEST(Quantizer, SymmetricTypesHaveZeroPointZero) {
  const auto [scale, zero_point] = quantizer_scale({-3, 1}, kInt8);
  EXPECT_DOUBLE_EQ(scale, 3.0 / 127);
  EXPECT_EQ(zero_point, 0);
  EXPECT_DOUBLE_EQ(quantizer_scale({-3, 1}, kInt16).scale, 3.0 / 32767);
}

TEST(Quantizer, ConstantZeroGetsAUsableScale) {
  EXPECT_EQ(quantizer_scale({0, 0}, kUint8).scale, 1);
  EXPECT_EQ(quantizer_scale({0, 0}, kUint8).zero_point, 0);
  EXPECT_EQ(quantizer_scale({0, 0}, kInt8).scale, 1);
}

TEST(Quantizer, WeightScalesArePerChannelWithAFloorForZeros) {
  const auto weight = torch::tensor({{0.0F, 0.0F}, {1.27F, -0.5F}, {0.127F, -0.254F}});
  const auto scales = weight_scales(weight, 0, kWeight8);
  EXPECT_TRUE(torch::allclose(scales, torch::tensor({1e-4F, 0.01F, 0.002F}))) << scales;
  // A network of zeros alone still has a scale.
  EXPECT_FLOAT_EQ(weight_scales(torch::zeros({1, 2}), 0, kWeight8)[0].item<float>(), 8e-5F / 127);
  // Along the last axis, with seven bits.
  EXPECT_FLOAT_EQ(weight_scales(weight, 1, kWeight7)[0].item<float>(), 1.27F / 63);
}

TEST(Quantizer, WeightsBecomeMultiplesOfTheirScale) {
  const auto weight = torch::tensor({{0.011F, -0.027F}});
  const auto got = fake_quantize_weight(weight, torch::tensor({0.01F}), 0, kWeight8);
  EXPECT_TRUE(torch::allclose(got, torch::tensor({{0.01F, -0.03F}}))) << got;
}

TEST(Quantizer, BiasFitsIntoInt32) {
  const auto bias = torch::tensor({1000.0F, -3.0F, 0.0F});
  const double input_scale = 1e-3;
  const auto scales = smallest_weight_scales(bias, input_scale);
  const auto stored = std::abs(1000.0 / (input_scale * scales[0].item<double>()));
  EXPECT_LT(stored, 0.951 * std::numeric_limits<int32_t>::max());
  EXPECT_GT(stored, 0.949 * std::numeric_limits<int32_t>::max());
  EXPECT_EQ(scales[2].item<float>(), 0);
}

}  // namespace
}  // namespace plateforge
