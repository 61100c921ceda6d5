#pragma once

#include <ATen/core/Tensor.h>

namespace plateforge {

// Connectionist temporal classification (Graves et al. 2006), mean over the batch of the
// per-sample loss divided by its target length.
//   logits  [N, C, T] float; class `blank` emits nothing
//   targets [N, L] int64, padded; target_lengths [N] int64
// A sample whose label cannot be emitted in T steps (length + equal neighbours > T) adds nothing;
// callers check with ctc_feasible() when data is opened. Scalar, differentiable, fp32 inside.
at::Tensor ctc_loss(const at::Tensor& logits, const at::Tensor& targets,
                    const at::Tensor& target_lengths, int64_t blank);

// Steps that a label needs: its length plus one blank between each pair of equal neighbours.
int64_t ctc_steps_needed(const std::vector<int64_t>& symbols);

}  // namespace plateforge
