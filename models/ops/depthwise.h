#pragma once

#include <torch/types.h>

#include "models/graph/ops.h"

namespace plateforge::ops {

// conv(x) with a filter of its own for every channel, differentiable, for float or bfloat16
// channels_last tensors on the CPU; weight [C, 1, K, K] is float and so is its gradient. Made here
// are the gradients that oneDNN (3.12) has no depthwise kernel for: those of filters beyond 3x3
// (twice as fast as what it takes instead) and, in bfloat16, that of the input of a strided
// convolution (twenty times). Everything else is oneDNN's.
torch::Tensor depthwise_convolution(const op::Conv& conv, const torch::Tensor& x,
                                    const torch::Tensor& weight);

// A convolution in `type` of that kind: filters of 3x3 or 5x5, no bias or dilation, the same stride
// and padding in both directions.
bool can_fuse_depthwise(const op::Conv& conv, at::ScalarType type, const torch::Tensor& weight,
                        const torch::Tensor& bias);

}  // namespace plateforge::ops
