#pragma once

#include <torch/types.h>

#include "models/graph/ops.h"

namespace plateforge::ops {

// conv(x), differentiable, for float channels_last tensors on the CPU. The result and the input's
// gradient are oneDNN's. The gradients of weight and bias are made here in one pass: oneDNN reads
// the output gradient twice for them and, with the few channels of the readers' filters, runs at a
// third of the speed of its forward pass.
torch::Tensor fused_convolution(const op::Conv& conv, const torch::Tensor& x,
                                const torch::Tensor& weight, const torch::Tensor& bias);

// Stride 1, no dilation or groups, zero padding, output channels in whole vectors, few weights.
bool can_fuse_convolution(const op::Conv& conv, const torch::Tensor& x, const torch::Tensor& weight,
                          const torch::Tensor& bias);

}  // namespace plateforge::ops
