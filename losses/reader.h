#pragma once

#include <ATen/core/Tensor.h>

#include "configs/run_config.h"

namespace plateforge {

// Loss of a reader's logits [N, C, T] against labels, as ctc_loss() and slot_loss() take them: the
// one that goes with how the model reads. `blank` is the last class; `taught` [N, S] as slot_loss()
// takes it. Scalar, differentiable.
at::Tensor reader_loss(const ModelConfig& model, const at::Tensor& logits,
                       const at::Tensor& targets, const at::Tensor& target_lengths, int64_t blank,
                       const SlotLossConfig& slots = {.label_smoothing = 0},
                       const at::Tensor& taught = {});

}  // namespace plateforge
