#pragma once

#include <torch/nn/modules/normalization.h>

namespace plateforge::ops {

// relu(group_norm(x)), differentiable, for float or bfloat16 channels_last tensors on the CPU. A
// picture is read twice forward and twice backward while it lies in the cache; LibTorch's gradient
// alone takes longer than both together, and the ReLU's passes come on top.
torch::Tensor fused_group_norm_relu(torch::nn::GroupNormImpl& norm, const torch::Tensor& x);

}  // namespace plateforge::ops
