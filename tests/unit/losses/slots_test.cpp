#include "losses/slots.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <cmath>

#include "losses/masked_pixels.h"

namespace plateforge {
namespace {

const auto kTargets = [] { return torch::tensor({{4, 0, -1}, {1, 2, 3}}, torch::kLong); };
const auto kLengths = [] { return torch::tensor({2, 3}, torch::kLong); };
constexpr int64_t kEnd = 5;

TEST(SlotLoss, PutsTheEndBehindTheLabel) {
  EXPECT_TRUE(slot_targets(kTargets(), kLengths(), 4, kEnd)
                  .equal(torch::tensor({{4, 0, 5, 5}, {1, 2, 3, 5}}, torch::kLong)));
}

// Two classes, one slot: by hand.
TEST(SlotLoss, IsCrossEntropyWithSmoothingAndFocus) {
  const auto logits = torch::tensor({2.0F, 0.0F}).reshape({1, 2, 1});
  const auto target = torch::tensor({{0}}, torch::kLong), one = torch::tensor({1}, torch::kLong);
  const double p = 1 / (1 + std::exp(-2.0)), own = -std::log(p), other = -std::log(1 - p);
  const auto value = [&](const SlotLossConfig& config) {
    return slot_loss(logits, target, one, 1, config).item<double>();
  };
  EXPECT_NEAR(value({.label_smoothing = 0}), own, 1e-6);
  EXPECT_NEAR(value({.label_smoothing = 0.2}), 0.8 * own + 0.2 * (own + other) / 2, 1e-6);
  EXPECT_NEAR(value({.label_smoothing = 0, .focal_gamma = 2}), own * (1 - p) * (1 - p), 1e-6);
}

TEST(SlotLoss, TeachesOnlyTheSlotsThatCount) {
  const auto logits = torch::randn({2, 6, 4}, torch::requires_grad());
  const auto taught = torch::tensor({{1, 0, 0, 0}, {0, 0, 1, 0}}, torch::kBool);
  const auto loss = slot_loss(logits, kTargets(), kLengths(), kEnd, {.label_smoothing = 0}, taught);
  loss.backward();
  const auto moved = logits.grad().abs().sum(1).gt(0);  // [N, S]
  EXPECT_TRUE(moved.equal(taught));
  const auto p = logits.detach().log_softmax(1);
  EXPECT_NEAR(loss.item<double>(), -(p[0][4][0].item<double>() + p[1][3][2].item<double>()) / 2,
              1e-5);
}

TEST(SlotLoss, CertainSlotsHaveFiniteGradients) {
  const auto logits = torch::tensor({200.0F, 0.0F}).reshape({1, 2, 1}).requires_grad_();
  const auto target = torch::tensor({{0}}, torch::kLong), one = torch::tensor({1}, torch::kLong);
  slot_loss(logits, target, one, 1, {.label_smoothing = 0.1, .focal_gamma = 0.5}).backward();
  EXPECT_TRUE(logits.grad().isfinite().all().item<bool>());
}

TEST(MaskedPixelLoss, AddsTheAlignment) {
  const auto painted = torch::tensor({1.0F, 3.0F}).reshape({1, 1, 2});
  const auto wanted = torch::zeros({1, 1, 2});
  EXPECT_NEAR(masked_pixel_loss({painted, wanted, {}, {}}, 0.05).item<double>(), 5, 1e-6);
  auto features = torch::full({1, 1, 4}, 2.0F, torch::requires_grad());
  auto aligned = torch::zeros({1, 1, 4}, torch::requires_grad());
  const auto loss = masked_pixel_loss({painted, wanted, features, aligned}, 0.05);
  EXPECT_NEAR(loss.item<double>(), 5 + 0.05 * 4, 1e-6);
  loss.backward();
  EXPECT_TRUE(features.grad().defined());
  EXPECT_FALSE(aligned.grad().defined());
}

}  // namespace
}  // namespace plateforge
