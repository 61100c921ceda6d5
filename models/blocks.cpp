#include "models/blocks.h"

#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

#include <cmath>

#include "models/ops/layers.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

void clear(Tensor tensor) {
  if (tensor.defined()) tensor.zero_();
}

template <class Norm>
void reset_norm(Norm& norm) {
  norm.weight.fill_(1.0);
  norm.bias.zero_();
}

}  // namespace

nn::Conv2d make_conv(const ConvSpec& spec) {
  return nn::Conv2d(nn::Conv2dOptions(spec.in, spec.out, spec.kernel)
                        .stride(spec.stride)
                        .padding(spec.kernel / 2)
                        .groups(spec.groups)
                        .bias(spec.bias));
}

nn::LayerNorm make_layer_norm(int64_t dim) { return nn::LayerNorm(nn::LayerNormOptions({dim})); }

Tensor activate(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::relu:
      return torch::relu(x);
    case Activation::hard_swish:
      return torch::hardswish(x);
    case Activation::none:
      break;
  }
  return x;
}

Tensor ConvNorm::operator()(const Tensor& x) const {
  const auto y = ops::convolution(*conv.ptr(), x);
  if (activation == Activation::relu) return ops::batch_norm_relu(*norm.ptr(), y);
  return activate(ops::batch_norm(*norm.ptr(), y), activation);
}

ConvNorm add_conv_norm(nn::Module& owner, const ConvSpec& spec, Activation activation,
                       const ConvNormNames& names, double epsilon) {
  const auto norm = nn::BatchNorm2d(nn::BatchNorm2dOptions(spec.out).eps(epsilon));
  return {owner.register_module(names.conv, make_conv(spec)),
          owner.register_module(names.norm, norm), activation};
}

std::shared_ptr<nn::Module> add_child(nn::Module& owner, const std::string& name) {
  return owner.register_module(name, std::make_shared<nn::Module>());
}

void fan_out_normal(nn::Conv2dImpl& conv, at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  const auto inputs = conv.weight.size(1);  // of one group
  const auto fan_out = static_cast<double>(conv.weight.numel() / inputs) /
                       static_cast<double>(conv.options.groups());
  conv.weight.normal_(0.0, std::sqrt(2.0 / fan_out), generator);
  clear(conv.bias);
}

void initialize_fan_out(nn::Module& module, at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  for (const auto& layer : module.modules()) {
    if (auto* conv = layer->as<nn::Conv2d>()) {
      fan_out_normal(*conv, generator);
    } else if (auto* linear = layer->as<nn::Linear>()) {
      const auto limit = 1.0 / std::sqrt(static_cast<double>(linear->weight.size(0)));
      linear->weight.uniform_(-limit, limit, generator);
      clear(linear->bias);
    } else if (auto* norm = layer->as<nn::BatchNorm2d>()) {
      reset_norm(*norm);
      norm->reset_running_stats();
    } else if (auto* group_norm = layer->as<nn::GroupNorm>()) {
      reset_norm(*group_norm);
    }
  }
}

void xavier_uniform(const nn::Conv2d& conv, at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  const auto& weight = conv->weight;
  const auto fans = (weight.size(0) + weight.size(1)) * weight.size(2) * weight.size(3);
  const auto limit = std::sqrt(6.0 / static_cast<double>(fans));
  conv.ptr()->weight.uniform_(-limit, limit, generator);
}

}  // namespace plateforge
