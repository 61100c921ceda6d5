#include "tests/support/small_nets.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/pooling.h>
#include <torch/utils.h>

namespace plateforge {

void randomize(torch::nn::Module& module, uint64_t seed) {
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

void randomize_norms(torch::nn::Module& module, uint64_t seed) {
  torch::manual_seed(seed);
  const torch::NoGradGuard no_grad;
  for (const auto& layer : module.modules()) {
    auto* norm = layer->as<torch::nn::BatchNorm2d>();
    if (!norm) continue;
    norm->weight.uniform_(0.5, 1.5);
    norm->bias.uniform_(-0.5, 0.5);
    norm->running_mean.uniform_(-0.5, 0.5);
    norm->running_var.uniform_(0.5, 2.0);
  }
}

PlainCnn::PlainCnn(int64_t channels) {
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

torch::Tensor PlainCnn::forward(const torch::Tensor& images) {
  return head(body->forward(images.clamp(-1, 2)).flatten(1)).log_softmax(1);
}

ContextCnn::ContextCnn(int64_t channels) {
  namespace nn = torch::nn;
  conv = register_module("conv", nn::Conv2d(nn::Conv2dOptions(3, channels, {3, 5})));
  head = register_module("head", nn::Conv2d(nn::Conv2dOptions(channels, 7, 1)));
}

torch::Tensor ContextCnn::forward(const torch::Tensor& images) {
  const auto x = torch::relu(conv(images));
  const auto kept = x.slice(1, 0, c10::nullopt, 2);
  const auto scaled = x / x.pow(2).mean({1, 2, 3}, /*keepdim=*/true);
  return head(torch::cat({scaled.slice(1, kept.size(1)), kept}, 1)).mean(2);
}

NormedTokens::NormedTokens() {
  namespace nn = torch::nn;
  embed = register_module("embed", nn::Conv2d(nn::Conv2dOptions(3, 16, 4).stride(4)));
  norm = register_module("norm", nn::LayerNorm(nn::LayerNormOptions({16})));
  gate = register_module("gate", nn::Linear(16, 16));
  value = register_module("value", nn::Linear(16, 16));
  head = register_module("head", nn::Linear(16, 5));
}

torch::Tensor NormedTokens::forward(const torch::Tensor& images) {
  const auto tokens = norm(embed(images).flatten(2).transpose(1, 2));  // [N, T, 16]
  return head(torch::relu(value(tokens)) * torch::sigmoid(gate(tokens))).mean(1);
}

AttentionNet::AttentionNet() {
  namespace nn = torch::nn;
  embed = register_module("embed", nn::Conv2d(nn::Conv2dOptions(3, 12, 4).stride(4)));
  query = register_module("query", nn::Linear(12, 16));
  key = register_module("key", nn::Linear(12, 16));
  value = register_module("value", nn::Linear(12, 16));
  mix = register_module("mix", nn::Linear(16, 5));
}

torch::Tensor AttentionNet::forward(const torch::Tensor& images) {
  const auto tokens = embed(images).flatten(2).transpose(1, 2);  // [N, T, 12]
  const auto heads = [](const torch::Tensor& x) {                // [N, heads, T, 4]
    return x.reshape({x.size(0), x.size(1), -1, 4}).transpose(1, 2);
  };
  const auto q = heads(query(tokens)), k = heads(key(tokens)), v = heads(value(tokens));
  const auto mixed = torch::matmul((torch::matmul(q, k.transpose(2, 3)) / 2).softmax(3), v);
  return mix(mixed.transpose(1, 2).flatten(2)).mean(1);
}

ResidualCnn::ResidualCnn() {
  namespace nn = torch::nn;
  stem = register_module("stem", nn::Conv2d(nn::Conv2dOptions(3, 8, 3)));
  body = register_module("body", nn::Conv2d(nn::Conv2dOptions(8, 8, 3).padding(1)));
  head = register_module("head", nn::Conv2d(nn::Conv2dOptions(8, 5, 1)));
}

torch::Tensor ResidualCnn::forward(const torch::Tensor& images) {
  const auto x = torch::relu(stem(images));
  return head(torch::relu(x + body(x))).mean(2);
}

BranchCnn::BranchCnn() {
  namespace nn = torch::nn;
  left = register_module("left", nn::Conv2d(nn::Conv2dOptions(3, 6, 3).padding(1)));
  right = register_module("right", nn::Conv2d(nn::Conv2dOptions(3, 4, 1)));
  depthwise = register_module("depthwise", nn::Conv2d(nn::Conv2dOptions(10, 10, 3).groups(10)));
  head = register_module("head", nn::Linear(10 * 2 * 4, 5));
}

torch::Tensor BranchCnn::forward(const torch::Tensor& images) {
  const auto both = torch::cat({left(images), right(images)}, 1).relu();
  return head(torch::max_pool2d(depthwise(both), 4).flatten(1));
}

StridedCnn::StridedCnn() {
  namespace nn = torch::nn;
  stem = register_module("stem", nn::Conv2d(nn::Conv2dOptions(3, 12, 3)));
  inner = register_module("inner", nn::Conv2d(nn::Conv2dOptions(6, 4, 1)));
  head = register_module("head", nn::Conv2d(nn::Conv2dOptions(16, 5, 1)));
}

torch::Tensor StridedCnn::forward(const torch::Tensor& images) {
  const auto tap = torch::relu(stem(images));
  const auto flow = torch::relu(inner(tap.slice(1, 0, tap.size(1), 2)));
  return head(torch::cat({tap, flow}, 1)).mean(2);
}

PyramidCnn::PyramidCnn() {
  namespace nn = torch::nn;
  fine = register_module("fine", nn::Conv2d(nn::Conv2dOptions(3, 8, 3).padding(1)));
  coarse = register_module("coarse", nn::Conv2d(nn::Conv2dOptions(8, 8, 1)));
  head = register_module("head", nn::Conv2d(nn::Conv2dOptions(8, 5, 1)));
}

torch::Tensor PyramidCnn::forward(const torch::Tensor& images) {
  const auto x = torch::relu(fine(images));
  const auto y = torch::relu(coarse(torch::max_pool2d(x, 2)));
  return head(torch::relu(x + torch::upsample_nearest2d(y, {2 * y.size(2), 2 * y.size(3)})));
}

GroupedCnn::GroupedCnn() {
  namespace nn = torch::nn;
  stem = register_module("stem", nn::Conv2d(nn::Conv2dOptions(3, 8, 1)));
  grouped = register_module("grouped", nn::Conv2d(nn::Conv2dOptions(8, 4, 3).groups(2)));
  head = register_module("head", nn::Conv2d(nn::Conv2dOptions(4, 5, 1)));
}

torch::Tensor GroupedCnn::forward(const torch::Tensor& images) {
  return head(torch::relu(grouped(torch::relu(stem(images))))).mean(2);
}

}  // namespace plateforge
