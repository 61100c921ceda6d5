#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>

#include <memory>
#include <string>
#include <vector>

namespace plateforge {

// What the parts of networks are made of. Maps are [N, C, H, W].

// Padding is half the kernel: stride 1 keeps the extent of a map, stride 2 makes it ceil(extent/2).
struct ConvSpec {
  int64_t in, out, kernel = 1, stride = 1, groups = 1;
  bool bias = false;
};
torch::nn::Conv2d make_conv(const ConvSpec& spec);
// Over the last axis, of extent `dim`.
torch::nn::LayerNorm make_layer_norm(int64_t dim);

enum class Activation { none, relu, hard_swish };
torch::Tensor activate(const torch::Tensor& x, Activation activation);

// activation(batch_norm(conv(x))). Not a module of its own: its two layers are registered in the
// module that owns it, under the names that published weights have for them.
struct ConvNorm {
  torch::nn::Conv2d conv{nullptr};
  torch::nn::BatchNorm2d norm{nullptr};
  Activation activation = Activation::none;

  torch::Tensor operator()(const torch::Tensor& x) const;
};
struct ConvNormNames {
  std::string conv = "conv", norm = "bn";
};
ConvNorm add_conv_norm(torch::nn::Module& owner, const ConvSpec& spec, Activation activation,
                       const ConvNormNames& names = {}, double epsilon = 1e-5);

// A module without layers yet, registered in `owner`.
std::shared_ptr<torch::nn::Module> add_child(torch::nn::Module& owner, const std::string& name);

// Fresh weights of a convolution: N(0, sqrt(2 / fan-out)) with the fan-out of one group (He et al.
// 2015, as MobileNet's authors use it), bias zero.
void fan_out_normal(torch::nn::Conv2dImpl& conv, at::Generator& generator);
// Fresh weights of all layers in a module: convolutions as above, linear layers
// U(+-1/sqrt(fan-out)), biases zero, norms one and zero.
void initialize_fan_out(torch::nn::Module& module, at::Generator& generator);
// U(+-sqrt(6 / (fan-in + fan-out))) (Glorot & Bengio 2010); the bias stays.
void xavier_uniform(const torch::nn::Conv2d& conv, at::Generator& generator);

}  // namespace plateforge
