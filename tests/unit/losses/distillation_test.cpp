#include "losses/distillation.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "losses/ctc.h"

namespace plateforge {
namespace {

TEST(Distillation, IsZeroForTheTeacherItselfAndForShiftedLogits) {
  const auto logits = torch::randn({2, 5, 3});
  EXPECT_NEAR(distillation_loss(logits, logits, 2).item<double>(), 0, 1e-6);
  EXPECT_NEAR(distillation_loss(logits + 4, logits, 2).item<double>(), 0, 1e-5);
}

// Teacher (3/4, 1/4), student (1/2, 1/2) at temperature 1: KL = 3/4 ln(3/2) + 1/4 ln(1/2). At
// temperature 2 with doubled logits the distributions are the same and the loss four times as
// large.
TEST(Distillation, IsTheDivergenceOfTheSoftenedDistributions) {
  const auto teacher = torch::tensor({std::log(3.F), 0.F}).reshape({1, 2, 1});
  const auto student = torch::zeros({1, 2, 1});
  const double divergence = 0.75 * std::log(1.5) + 0.25 * std::log(0.5);
  EXPECT_NEAR(distillation_loss(student, teacher, 1).item<double>(), divergence, 1e-6);
  EXPECT_NEAR(distillation_loss(2 * student, 2 * teacher, 2).item<double>(), 4 * divergence, 1e-6);
}

TEST(Distillation, TeachesTheStudentAlone) {
  const auto teacher = torch::randn({2, 5, 3}, torch::requires_grad());
  const auto student = torch::randn({2, 5, 3}, torch::requires_grad());
  distillation_loss(student, teacher, 3).backward();
  EXPECT_FALSE(teacher.grad().defined());
  const double step = 1e-2;
  auto moved = student.detach().clone();
  moved.sub_(step * student.grad());
  EXPECT_LT(distillation_loss(moved, teacher, 3).item<double>(),
            distillation_loss(student, teacher, 3).item<double>());
}

// Texts of a plate weigh their CTC losses; one text with weight 1 is the label's loss.
TEST(Distillation, TeachesTextsByTheirWeights) {
  torch::manual_seed(3);
  const int64_t blank = 4;
  auto logits = torch::randn({2, 5, 6}, torch::requires_grad());
  const auto texts = torch::tensor({{{0, 1, 0}, {2, 0, 0}}, {{3, 1, 2}, {0, 0, 0}}}, torch::kLong);
  const auto lengths = torch::tensor({{2, 1}, {3, 0}}, torch::kLong);
  const auto taught = [&](const at::Tensor& weights) {
    return text_distillation_loss(logits, texts, lengths, weights, blank);
  };
  const auto first = torch::tensor({{1.F, 0.F}, {1.F, 0.F}});
  const auto label = ctc_loss(logits, texts.select(1, 0), lengths.select(1, 0), blank);
  EXPECT_NEAR(taught(first).item<double>(), label.item<double>(), 1e-5);
  const auto second = torch::tensor({{0.F, 1.F}, {1.F, 0.F}});
  const auto both = torch::tensor({{0.5F, 0.5F}, {1.F, 0.F}});
  EXPECT_NEAR(taught(both).item<double>(),
              (taught(first).item<double>() + taught(second).item<double>()) / 2, 1e-5);
  taught(both).backward();
  EXPECT_TRUE(logits.grad().isfinite().all().item<bool>());
}

}  // namespace
}  // namespace plateforge
