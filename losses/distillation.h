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

}  // namespace plateforge
