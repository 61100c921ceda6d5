#include "losses/distillation.h"

#include <torch/types.h>

namespace plateforge {

at::Tensor distillation_loss(const at::Tensor& student, const at::Tensor& teacher,
                             double temperature) {
  TORCH_CHECK(student.sizes() == teacher.sizes(), "student ", student.sizes(), " and teacher ",
              teacher.sizes());
  const auto soften = [&](const at::Tensor& logits) {
    return (logits.to(torch::kFloat) / temperature).log_softmax(1);
  };
  const auto wanted = soften(teacher.detach());
  const auto divergence = (wanted.exp() * (wanted - soften(student))).sum(1);  // [N, T]
  return divergence.mean() * (temperature * temperature);
}

}  // namespace plateforge
