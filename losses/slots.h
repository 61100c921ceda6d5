#pragma once

#include <ATen/core/Tensor.h>

#include "configs/run_config.h"

namespace plateforge {

// Cross-entropy of a reader with slots: character s of a label belongs in slot s, and the slots
// behind the label say `end`. With config.focal_gamma every slot counts (1 - p)^gamma times (Lin et
// al., arXiv 1708.02002). Mean over all slots of the batch.
//   logits  [N, C, S] float
//   targets [N, L] int64, padded; target_lengths [N] int64, none above S
//   taught  [N, S] bool: only these slots count; undefined = all of them
// Scalar, differentiable, fp32 inside.
at::Tensor slot_loss(const at::Tensor& logits, const at::Tensor& targets,
                     const at::Tensor& target_lengths, int64_t end, const SlotLossConfig& config,
                     const at::Tensor& taught = {});

// The class that every slot should say, [N, S] int64.
at::Tensor slot_targets(const at::Tensor& targets, const at::Tensor& target_lengths, int64_t slots,
                        int64_t end);

}  // namespace plateforge
