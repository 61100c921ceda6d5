#pragma once

#include <ATen/core/Tensor.h>

namespace plateforge {

struct SlotLossOptions {
  double label_smoothing = 0;  // share of the target spread evenly over all classes
  double focal_gamma = 0;      // (1 - p)^gamma (Lin et al. 2017) on every slot; 0 = off
};

// Cross-entropy of a reader with slots: character s of a label belongs in slot s, and the slots
// behind the label say `end`. Mean over all slots of the batch.
//   logits  [N, C, S] float
//   targets [N, L] int64, padded; target_lengths [N] int64, none above S
//   taught  [N, S] bool: only these slots count; undefined = all of them
// Scalar, differentiable, fp32 inside.
at::Tensor slot_loss(const at::Tensor& logits, const at::Tensor& targets,
                     const at::Tensor& target_lengths, int64_t end,
                     const SlotLossOptions& options = {}, const at::Tensor& taught = {});

// The class that every slot should say, [N, S] int64.
at::Tensor slot_targets(const at::Tensor& targets, const at::Tensor& target_lengths, int64_t slots,
                        int64_t end);

}  // namespace plateforge
