#include "losses/reader.h"

#include "losses/ctc.h"
#include "losses/slots.h"

namespace plateforge {

at::Tensor reader_loss(const ModelConfig& model, const at::Tensor& logits,
                       const at::Tensor& targets, const at::Tensor& target_lengths, int64_t blank,
                       const SlotLossConfig& slots, const at::Tensor& taught) {
  if (!reads_slots(model)) return ctc_loss(logits, targets, target_lengths, blank);
  return slot_loss(logits, targets, target_lengths, blank, slots, taught);
}

}  // namespace plateforge
