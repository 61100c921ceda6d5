#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>

#include "models/graph/ops.h"

namespace plateforge::ops {

// The building blocks of the networks. Each is an ordinary composition of LibTorch operators; while
// a network trains on the CPU in channels_last they run as fused kernels with the same results.

// batch_norm(x) and relu(batch_norm(x)), [N, C, H, W].
torch::Tensor batch_norm(torch::nn::BatchNorm2dImpl& norm, const torch::Tensor& x);
torch::Tensor batch_norm_relu(torch::nn::BatchNorm2dImpl& norm, const torch::Tensor& x);

// relu(group_norm(x)), [N, C, H, W].
torch::Tensor group_norm_relu(torch::nn::GroupNormImpl& norm, const torch::Tensor& x);

// conv(x).
torch::Tensor convolution(torch::nn::Conv2dImpl& conv, const torch::Tensor& x);
torch::Tensor convolution(const op::Conv& conv, const torch::Tensor& x, const torch::Tensor& weight,
                          const torch::Tensor& bias);

// relu(conv(x)).
torch::Tensor conv_relu(torch::nn::Conv2dImpl& conv, const torch::Tensor& x);

// 3x3 max-pooling without padding of every `channels`-th channel:
// [N, C, H, W] -> [N, ceil(C / channels), (H - 3) / height + 1, (W - 3) / width + 1].
struct PoolStride {
  int64_t channels = 1, height = 1, width = 1;
};
torch::Tensor channel_max_pool(const torch::Tensor& x, const PoolStride& stride);

// y = relu(batch_norm(x)), which nobody else needs; its channel_max_pool() beside an average over
// all its channels:
// average [N, C, (H - height) / stride_height + 1, (W - width) / stride_width + 1].
struct AverageWindow {
  int64_t height = 1, width = 1, stride_height = 1, stride_width = 1;
};
struct PooledTap {
  torch::Tensor pooled, average;
};
PooledTap norm_relu_pool(torch::nn::BatchNorm2dImpl& norm, const torch::Tensor& x,
                         const PoolStride& stride, const AverageWindow& window);

// Whether a tensor takes part in a training step on the CPU that our kernels can do: contiguous,
// float or bfloat16.
bool can_fuse_tokens(const torch::Tensor& x);

// Zeroes elements with probability p and scales the others by 1 / (1 - p).
torch::Tensor dropout(const torch::Tensor& x, double p, bool training);

// While one of these lives, this thread uses the plain compositions (parity tests, benchmarks).
class PlainOps {
 public:
  PlainOps();
  ~PlainOps();
  PlainOps(const PlainOps&) = delete;
  PlainOps& operator=(const PlainOps&) = delete;

 private:
  bool before_;
};

}  // namespace plateforge::ops
