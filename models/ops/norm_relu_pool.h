#pragma once

#include <torch/nn/modules/batchnorm.h>

#include "models/ops/layers.h"

namespace plateforge::ops {

// norm_relu_pool() of layers.h, differentiable, for float or bfloat16 channels_last tensors on the
// CPU with batch statistics. The normalised map is never written to memory: forward makes a few of
// its rows at a time and pools them, backward rebuilds its gradient row by row, once for the sums
// and once for dx. What is kept beside x is one byte per maximum: its place in the window.
PooledTap fused_norm_relu_pool(torch::nn::BatchNorm2dImpl& norm, const torch::Tensor& x,
                               const PoolStride& stride, const AverageWindow& window);

}  // namespace plateforge::ops
