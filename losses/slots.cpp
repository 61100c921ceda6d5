#include "losses/slots.h"

#include <ATen/Functions.h>
#include <ATen/ops/arange.h>

#include <algorithm>

namespace plateforge {
namespace {

// Keeps the gradient of (1 - p)^gamma finite for slots that are certain, whatever gamma is.
constexpr double kLeastDoubt = 1e-6;

}  // namespace

at::Tensor slot_targets(const at::Tensor& targets, const at::Tensor& target_lengths, int64_t slots,
                        int64_t end) {
  auto wanted = at::full({targets.size(0), slots}, end, targets.options());
  const auto longest = std::min(slots, targets.size(1));
  const auto place = at::arange(longest, targets.options()).unsqueeze(0);  // [1, L]
  const auto written = place < target_lengths.to(targets.device()).unsqueeze(1);
  wanted.slice(1, 0, longest)
      .copy_(
          at::where(written, targets.slice(1, 0, longest), at::full({}, end, targets.options())));
  return wanted;
}

at::Tensor slot_loss(const at::Tensor& logits, const at::Tensor& targets,
                     const at::Tensor& target_lengths, int64_t end, const SlotLossConfig& config,
                     const at::Tensor& taught) {
  const auto wanted = slot_targets(targets, target_lengths, logits.size(2), end);
  const auto log_probs = logits.to(at::kFloat).log_softmax(1);           // [N, C, S]
  const auto own = log_probs.gather(1, wanted.unsqueeze(1)).squeeze(1);  // [N, S]
  auto loss = -own;
  if (config.label_smoothing > 0)
    loss = (1 - config.label_smoothing) * loss - config.label_smoothing * log_probs.mean(1);
  if (config.focal_gamma > 0)
    loss = loss * (1 - own.exp()).clamp_min(kLeastDoubt).pow(config.focal_gamma);
  if (!taught.defined()) return loss.mean();
  return (loss * taught).sum() / taught.sum().clamp_min(1);
}

}  // namespace plateforge
