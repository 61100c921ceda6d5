#include "losses/distillation.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

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

}  // namespace
}  // namespace plateforge
