#pragma once

#include <torch/nn/modules/batchnorm.h>

namespace plateforge::ops {

// relu(batch_norm(x)) with batch statistics, differentiable, for float or bfloat16 channels_last
// tensors on the CPU; updates the running statistics like BatchNorm2d. Two passes forward and two
// backward instead of PyTorch's three and four; the ReLU's mask is recomputed, its output not kept.
torch::Tensor fused_batch_norm_relu(torch::nn::BatchNorm2dImpl& norm, const torch::Tensor& x);
// The same without the ReLU.
torch::Tensor fused_batch_norm(torch::nn::BatchNorm2dImpl& norm, const torch::Tensor& x);

}  // namespace plateforge::ops
