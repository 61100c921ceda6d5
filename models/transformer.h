#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <memory>
#include <string>
#include <vector>

namespace plateforge {

// Layers of a transformer in pre-norm form (Vaswani et al. 2017; Xiong et al. 2020). Tokens are
// [N, T, D].

struct LayerSpec {
  int64_t dim, heads, head_dim, feed;
  std::string activation = "gelu";  // as MaskOcrConfig::activation
  double dropout = 0;               // of attention weights and behind every part
  bool attention_bias = false;      // of queries, keys and values

  int64_t inner() const { return heads * head_dim; }
};

// Tokens look at each other, or at a memory: out(softmax(q k^T / sqrt(head_dim)) v).
class SelfAttention : public torch::nn::Module {
 public:
  explicit SelfAttention(const LayerSpec& spec);
  // `bias` [N, 1, 1, T] is added to the scores: -inf for tokens that nobody may look at. May be
  // undefined.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& bias);

 private:
  int64_t head_dim_;
  double dropout_;
  torch::nn::Linear qkv_, out_;
};

class CrossAttention : public torch::nn::Module {
 public:
  explicit CrossAttention(const LayerSpec& spec);
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& memory);

 private:
  int64_t head_dim_;
  double dropout_;
  torch::nn::Linear query_, memory_, out_;
};

class FeedForward : public torch::nn::Module {
 public:
  explicit FeedForward(const LayerSpec& spec);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  std::string activation_;
  double dropout_;
  torch::nn::Linear expand_, project_;
};

// x + attention(norm(x)), then x + feed_forward(norm(x)).
class EncoderLayer : public torch::nn::Module {
 public:
  explicit EncoderLayer(const LayerSpec& spec);
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& bias = {});

 private:
  double dropout_;
  torch::nn::LayerNorm norm1_, norm2_;
  std::shared_ptr<SelfAttention> attention_;
  std::shared_ptr<FeedForward> feed_;
};

// The same with attention to a memory [N, M, D] between the two.
class DecoderLayer : public torch::nn::Module {
 public:
  explicit DecoderLayer(const LayerSpec& spec);
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& memory);

 private:
  double dropout_;
  torch::nn::LayerNorm norm1_, norm2_, norm3_;
  std::shared_ptr<SelfAttention> attention_;
  std::shared_ptr<CrossAttention> cross_;
  std::shared_ptr<FeedForward> feed_;
};

// `count` layers registered in `owner` as layers.0, layers.1, ...
template <class Layer>
std::vector<std::shared_ptr<Layer>> add_layers(torch::nn::Module& owner, int64_t count,
                                               const LayerSpec& spec) {
  auto list = owner.register_module("layers", std::make_shared<torch::nn::Module>());
  std::vector<std::shared_ptr<Layer>> layers;
  for (int64_t i = 0; i < count; ++i)
    layers.push_back(list->register_module(std::to_string(i), std::make_shared<Layer>(spec)));
  return layers;
}

// Fresh weights of every layer in a module: linear weights N(0, 0.02), convolutions as
// fan_out_normal() has them, biases zero, norms one and zero; other parameters (positions, queries,
// tokens) N(0, 0.02).
void initialize_transformer(torch::nn::Module& module, uint64_t seed);

}  // namespace plateforge
