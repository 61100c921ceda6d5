#pragma once

#include <torch/torch.h>

#include "models/network.h"

namespace plateforge {

// Random weights, biases and BatchNorm statistics, so that nothing folds away by luck.
inline void randomize(torch::nn::Module& module, uint64_t seed) {
  torch::manual_seed(seed);
  const torch::NoGradGuard no_grad;
  for (auto& parameter : module.parameters()) parameter.uniform_(-0.5, 0.5);
  for (auto& item : module.named_buffers()) {
    auto& buffer = item.value();
    if (!buffer.is_floating_point()) continue;
    const bool is_variance = item.key().find("var") != std::string::npos;
    buffer.uniform_(is_variance ? 0.5 : -0.5, is_variance ? 2.0 : 0.5);
  }
}

// conv, batch norm, relu, pooling, dropout, linear: what any plain classifier has.
class PlainCnn : public Network {
 public:
  explicit PlainCnn(int64_t channels = 8) {
    namespace nn = torch::nn;
    body = register_module(
        "body",
        nn::Sequential(nn::Conv2d(nn::Conv2dOptions(3, channels, 3).padding(1).bias(false)),
                       nn::BatchNorm2d(channels), nn::ReLU(), nn::MaxPool2d(2), nn::Dropout(0.5),
                       nn::Conv2d(nn::Conv2dOptions(channels, channels, 3).groups(channels)),
                       nn::BatchNorm2d(channels), nn::ReLU6(),
                       nn::AdaptiveAvgPool2d(nn::AdaptiveAvgPool2dOptions({1, 1}))));
    head = register_module("head", nn::Linear(channels, 5));
  }
  torch::Tensor forward(const torch::Tensor& images) override {
    return head(body->forward(images.clamp(-1, 2)).flatten(1)).log_softmax(1);
  }
  torch::nn::Sequential body{nullptr};
  torch::nn::Linear head{nullptr};
};

// A reader with LPRNet's context normaliser over `channels` channels, odd counts included.
class ContextCnn : public Network {
 public:
  explicit ContextCnn(int64_t channels) {
    namespace nn = torch::nn;
    conv = register_module("conv", nn::Conv2d(nn::Conv2dOptions(3, channels, {3, 5})));
    head = register_module("head", nn::Conv2d(nn::Conv2dOptions(channels, 7, 1)));
  }
  torch::Tensor forward(const torch::Tensor& images) override {
    const auto x = torch::relu(conv(images));
    const auto kept = x.slice(1, 0, c10::nullopt, 2);
    const auto scaled = x / x.pow(2).mean({1, 2, 3}, /*keepdim=*/true);
    return head(torch::cat({scaled.slice(1, kept.size(1)), kept}, 1)).mean(2);
  }
  torch::nn::Conv2d conv{nullptr}, head{nullptr};
};

}  // namespace plateforge
