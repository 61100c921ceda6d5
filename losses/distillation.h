#pragma once

#include <ATen/core/Tensor.h>

namespace plateforge {

// Knowledge distillation of a reader (Hinton et al. 2015, arXiv 1503.02531), step by step: the mean
// over plates and time steps of KL(teacher || student) between the class distributions softened by
// `temperature`, times temperature^2 so that gradients keep their size.
//   student, teacher  [N, C, T] logits; no gradient reaches the teacher
// Scalar, differentiable, fp32 inside.
at::Tensor distillation_loss(const at::Tensor& student, const at::Tensor& teacher,
                             double temperature);

// Sequence-level distillation (Kim & Rush 2016, arXiv 1606.07947) for a CTC student whose teacher
// has other steps: every plate is taught the K texts that the teacher finds likeliest. Mean over
// the plates of sum_k weight_k * CTC loss of text k / its length (at least 1).
//   student  [N, C, T] logits
//   texts    [N, K, L] int64, padded; lengths [N, K] int64
//   weights  [N, K], those of a plate sum to 1
// Scalar, differentiable, fp32 inside. Texts that do not fit into T steps add nothing.
at::Tensor text_distillation_loss(const at::Tensor& student, const at::Tensor& texts,
                                  const at::Tensor& lengths, const at::Tensor& weights,
                                  int64_t blank);

}  // namespace plateforge
