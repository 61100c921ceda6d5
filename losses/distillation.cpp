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

at::Tensor text_distillation_loss(const at::Tensor& student, const at::Tensor& texts,
                                  const at::Tensor& lengths, const at::Tensor& weights,
                                  int64_t blank) {
  const auto count = texts.size(1);
  const auto log_probs = student.permute({2, 0, 1}).to(torch::kFloat).log_softmax(2);  // [T, N, C]
  const auto each = log_probs.repeat_interleave(count, 1);  // [T, N K, C]
  const auto steps = torch::full({each.size(1)}, each.size(0), torch::kLong);
  const auto losses = torch::ctc_loss(each, texts.flatten(0, 1), steps, lengths.flatten(), blank,
                                      at::Reduction::None, /*zero_infinity=*/true)
                          .reshape(weights.sizes());
  return (losses / lengths.clamp_min(1) * weights).sum(1).mean();
}

}  // namespace plateforge
