#include "losses/ctc.h"

#include <torch/types.h>

namespace plateforge {

at::Tensor ctc_loss(const at::Tensor& logits, const at::Tensor& targets,
                    const at::Tensor& target_lengths, int64_t blank) {
  const auto log_probs = logits.permute({2, 0, 1}).to(torch::kFloat).log_softmax(2);  // [T, N, C]
  const auto steps = torch::full({log_probs.size(1)}, log_probs.size(0), torch::kLong);
  return torch::ctc_loss(log_probs, targets, steps, target_lengths, blank, at::Reduction::Mean,
                         /*zero_infinity=*/true);
}

int64_t ctc_steps_needed(const std::vector<int64_t>& symbols) {
  auto steps = static_cast<int64_t>(symbols.size());
  for (size_t i = 1; i < symbols.size(); ++i) steps += symbols[i] == symbols[i - 1] ? 1 : 0;
  return steps;
}

}  // namespace plateforge
