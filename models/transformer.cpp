#include "models/transformer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/utils.h>

#include "models/blocks.h"
#include "models/ops/attention.h"
#include "models/ops/layers.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

constexpr double kStandardDeviation = 0.02;

nn::Linear linear(int64_t in, int64_t out, bool bias = true) {
  return nn::Linear(nn::LinearOptions(in, out).bias(bias));
}

}  // namespace

SelfAttention::SelfAttention(const LayerSpec& spec)
    : head_dim_(spec.head_dim),
      dropout_(spec.dropout),
      qkv_(register_module("qkv", linear(spec.dim, 3 * spec.inner(), spec.attention_bias))),
      out_(register_module("out", linear(spec.inner(), spec.dim))) {}

Tensor SelfAttention::forward(const Tensor& x, const Tensor& bias) {
  return ops::linear(*out_, ops::self_attention(ops::linear(*qkv_, x), head_dim_,
                                                is_training() ? dropout_ : 0, bias));
}

CrossAttention::CrossAttention(const LayerSpec& spec)
    : head_dim_(spec.head_dim),
      dropout_(spec.dropout),
      query_(register_module("query", linear(spec.dim, spec.inner(), spec.attention_bias))),
      memory_(register_module("memory", linear(spec.dim, 2 * spec.inner(), spec.attention_bias))),
      out_(register_module("out", linear(spec.inner(), spec.dim))) {}

Tensor CrossAttention::forward(const Tensor& x, const Tensor& memory) {
  return ops::linear(
      *out_, ops::cross_attention(ops::linear(*query_, x), ops::linear(*memory_, memory), head_dim_,
                                  is_training() ? dropout_ : 0));
}

FeedForward::FeedForward(const LayerSpec& spec)
    : activation_(spec.activation),
      dropout_(spec.dropout),
      expand_(register_module("expand", linear(spec.dim, spec.feed))),
      project_(register_module("project", linear(spec.feed, spec.dim))) {}

Tensor FeedForward::forward(const Tensor& x) {
  auto flow = ops::activation(ops::linear(*expand_, x), activation_);
  flow = ops::dropout(flow, dropout_, is_training());
  return ops::linear(*project_, flow);
}

EncoderLayer::EncoderLayer(const LayerSpec& spec)
    : dropout_(spec.dropout),
      norm1_(register_module("norm1", make_layer_norm(spec.dim))),
      norm2_(register_module("norm2", make_layer_norm(spec.dim))),
      attention_(register_module("attention", std::make_shared<SelfAttention>(spec))),
      feed_(register_module("feed", std::make_shared<FeedForward>(spec))) {}

Tensor EncoderLayer::forward(const Tensor& x, const Tensor& bias) {
  const auto looked =
      x + ops::dropout(attention_->forward(norm1_(x), bias), dropout_, is_training());
  return looked + ops::dropout(feed_->forward(norm2_(looked)), dropout_, is_training());
}

DecoderLayer::DecoderLayer(const LayerSpec& spec)
    : dropout_(spec.dropout),
      norm1_(register_module("norm1", make_layer_norm(spec.dim))),
      norm2_(register_module("norm2", make_layer_norm(spec.dim))),
      norm3_(register_module("norm3", make_layer_norm(spec.dim))),
      attention_(register_module("attention", std::make_shared<SelfAttention>(spec))),
      cross_(register_module("cross", std::make_shared<CrossAttention>(spec))),
      feed_(register_module("feed", std::make_shared<FeedForward>(spec))) {}

Tensor DecoderLayer::forward(const Tensor& x, const Tensor& memory) {
  auto flow = x + ops::dropout(attention_->forward(norm1_(x), {}), dropout_, is_training());
  flow = flow + ops::dropout(cross_->forward(norm2_(flow), memory), dropout_, is_training());
  return flow + ops::dropout(feed_->forward(norm3_(flow)), dropout_, is_training());
}

void initialize_transformer(nn::Module& module, uint64_t seed) {
  const torch::NoGradGuard no_grad;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& part : module.modules()) {
    if (auto* conv = part->as<nn::Conv2d>()) {
      fan_out_normal(*conv, generator);
      continue;
    }
    const bool is_norm = part->as<nn::LayerNorm>() || part->as<nn::BatchNorm2d>();
    for (auto& item : part->named_parameters(/*recurse=*/false)) {
      auto& parameter = item.value();
      if (is_norm)
        parameter.fill_(item.key() == "weight" ? 1.0 : 0.0);
      else if (item.key() == "bias")
        parameter.zero_();
      else
        parameter.normal_(0.0, kStandardDeviation, generator);
    }
  }
}

}  // namespace plateforge
