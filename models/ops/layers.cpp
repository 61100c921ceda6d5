#include "models/ops/layers.h"

#include <ATen/autocast_mode.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>

#include "models/ops/batch_norm_relu.h"
#include "models/ops/convolution.h"
#include "models/ops/depthwise.h"
#include "models/ops/dropout.h"
#include "models/ops/group_norm_relu.h"
#include "models/ops/norm_relu_pool.h"

namespace plateforge::ops {
namespace {

thread_local bool plain_ops = false;

// A training step on the CPU: gradients are wanted and nobody records the operators.
bool training_step(const torch::Tensor& x) {
  return !plain_ops && x.is_cpu() && torch::GradMode::is_enabled() && x.requires_grad();
}

bool can_fuse(const torch::Tensor& x) {
  return training_step(x) && x.dim() == 4 && x.numel() > 0 &&
         (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kBFloat16) &&
         x.is_contiguous(torch::MemoryFormat::ChannelsLast);
}

bool can_fuse(const torch::nn::BatchNorm2dImpl& norm) {
  return norm.is_training() && norm.options.affine() && norm.options.track_running_stats() &&
         norm.options.momentum().has_value() && norm.weight.scalar_type() == torch::kFloat;
}

}  // namespace

PlainOps::PlainOps() : before_(plain_ops) { plain_ops = true; }
PlainOps::~PlainOps() { plain_ops = before_; }

torch::Tensor batch_norm_relu(torch::nn::BatchNorm2dImpl& norm, const torch::Tensor& x) {
  if (can_fuse(x) && can_fuse(norm)) return fused_batch_norm_relu(norm, x);
  return torch::relu(norm.forward(x));
}

torch::Tensor batch_norm(torch::nn::BatchNorm2dImpl& norm, const torch::Tensor& x) {
  if (can_fuse(x) && can_fuse(norm)) return fused_batch_norm(norm, x);
  return norm.forward(x);
}

torch::Tensor group_norm_relu(torch::nn::GroupNormImpl& norm, const torch::Tensor& x) {
  if (can_fuse(x) && norm.options.affine() && norm.weight.scalar_type() == torch::kFloat)
    return fused_group_norm_relu(norm, x);
  return torch::relu(norm.forward(x));
}

torch::Tensor convolution(torch::nn::Conv2dImpl& conv, const torch::Tensor& x) {
  const auto& options = conv.options;
  if (!std::holds_alternative<torch::ExpandingArray<2>>(options.padding()) ||
      !std::holds_alternative<torch::enumtype::kZeros>(options.padding_mode()))
    return conv.forward(x);
  const auto list = [](const torch::ExpandingArray<2>& v) {
    return ::plateforge::Shape{(*v)[0], (*v)[1]};
  };
  return convolution(
      {list(options.stride()), list(std::get<torch::ExpandingArray<2>>(options.padding())),
       list(options.dilation()), options.groups()},
      x, conv.weight, conv.bias);
}

// The picture itself needs no gradient, so the first convolution is known by its weight.
torch::Tensor convolution(const op::Conv& conv, const torch::Tensor& x, const torch::Tensor& weight,
                          const torch::Tensor& bias) {
  if (!plain_ops && x.is_cpu() && torch::GradMode::is_enabled() && x.dim() == 4 && x.numel() > 0 &&
      x.is_contiguous(torch::MemoryFormat::ChannelsLast)) {
    const bool bf16 = at::autocast::is_autocast_enabled(at::kCPU);
    const auto type = bf16 ? torch::kBFloat16 : x.scalar_type();
    if (can_fuse_depthwise(conv, type, weight, bias))
      return depthwise_convolution(conv, x.to(type), weight);
    if (!bf16 && can_fuse_convolution(conv, x, weight, bias))
      return fused_convolution(conv, x, weight, bias);
  }
  return torch::conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups);
}

torch::Tensor conv_relu(torch::nn::Conv2dImpl& conv, const torch::Tensor& x) {
  auto y = convolution(conv, x);
  if (training_step(y)) return y.relu_();  // a convolution's gradient does not need its output
  return torch::relu(y);
}

torch::Tensor channel_max_pool(const torch::Tensor& x, const PoolStride& stride) {
  const auto kept = stride.channels == 1 ? x : x.slice(1, 0, x.size(1), stride.channels);  // a view
  return torch::max_pool2d(kept, {3, 3}, {stride.height, stride.width});
}

PooledTap norm_relu_pool(torch::nn::BatchNorm2dImpl& norm, const torch::Tensor& x,
                         const PoolStride& stride, const AverageWindow& window) {
  if (can_fuse(x) && can_fuse(norm)) return fused_norm_relu_pool(norm, x, stride, window);
  const auto y = torch::relu(norm.forward(x));
  return {channel_max_pool(y, stride),
          torch::avg_pool2d(y, {window.height, window.width},
                            {window.stride_height, window.stride_width})};
}

bool can_fuse_tokens(const torch::Tensor& x) {
  return training_step(x) && x.numel() > 0 && x.is_contiguous() &&
         (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kBFloat16);
}

torch::Tensor dropout(const torch::Tensor& x, double p, bool training) {
  if (!training || p <= 0) return x;
  if (can_fuse(x) || can_fuse_tokens(x)) return fused_dropout(x, p);
  return torch::dropout(x, p, training);
}

}  // namespace plateforge::ops
