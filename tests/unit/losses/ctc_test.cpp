#include "losses/ctc.h"

#include <gtest/gtest.h>
#include <torch/types.h>

namespace plateforge {
namespace {

TEST(CtcLoss, CountsABlankBetweenEqualNeighbours) {
  EXPECT_EQ(ctc_steps_needed({1, 2, 3}), 3);
  EXPECT_EQ(ctc_steps_needed({1, 1, 1, 2}), 6);
  EXPECT_EQ(ctc_steps_needed({}), 0);
}

// One step, one symbol: the loss is the cross entropy of that step.
TEST(CtcLoss, OneStepIsCrossEntropy) {
  const auto logits = torch::tensor({0.5F, -1.0F, 2.0F}).reshape({1, 3, 1});
  const auto loss = ctc_loss(logits, torch::tensor({{0}}, torch::kLong),
                             torch::tensor({1}, torch::kLong), /*blank=*/2);
  EXPECT_NEAR(loss.item<double>(), -logits.reshape({3}).log_softmax(0)[0].item<double>(), 1e-6);
}

TEST(CtcLoss, InfeasibleSampleAddsNothing) {
  auto logits = torch::randn({1, 3, 2}).requires_grad_();
  const auto loss =
      ctc_loss(logits, torch::tensor({{0, 0}}, torch::kLong), torch::tensor({2}, torch::kLong), 2);
  EXPECT_EQ(loss.item<double>(), 0.0);
  loss.backward();
  EXPECT_EQ(logits.grad().abs().sum().item<double>(), 0.0);
}

}  // namespace
}  // namespace plateforge
