#include "models/ops/attention.h"

#include <cmath>

#include "configs/error.h"
#include "models/ops/fused_attention.h"
#include "models/ops/layers.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;

Tensor split_heads(const Tensor& x, int64_t heads) {  // [N, S, D] -> [N, heads, S, D / heads]
  return x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value, int64_t heads,
              double dropout, const Tensor& bias) {
  const auto width = query.size(2) / heads;
  const auto scaled = split_heads(query, heads) * (1 / std::sqrt(static_cast<double>(width)));
  auto scores = torch::matmul(scaled, split_heads(key, heads).transpose(2, 3));  // [N, heads, S, T]
  if (bias.defined()) scores = scores + bias;
  const auto weights = ops::dropout(scores.softmax(3), dropout, dropout > 0);
  const auto mixed = torch::matmul(weights, split_heads(value, heads));
  return mixed.transpose(1, 2).reshape({key.size(0), query.size(1), query.size(2)});
}

}  // namespace

Tensor linear(torch::nn::LinearImpl& layer, const Tensor& x) {
  return torch::linear(x, layer.weight, layer.bias);
}

Tensor activation(const Tensor& x, const std::string& name) {
  if (name == "gelu") return torch::gelu(x);
  if (name == "gelu_tanh") return torch::gelu(x, "tanh");
  if (name == "silu") return torch::silu(x);
  require(name == "relu", "unknown activation '", name, "'; known: gelu gelu_tanh silu relu");
  return torch::relu(x);
}

Tensor self_attention(const Tensor& tokens, int64_t width, double dropout, const Tensor& bias) {
  const auto inner = tokens.size(2) / 3, heads = inner / width;
  if (!bias.defined() && can_fuse_tokens(tokens) &&
      fits_attention(tokens.size(1), tokens.size(1), width))
    return fused_self_attention(tokens, heads, dropout);
  const auto part = [&](int64_t i) { return tokens.slice(2, i * inner, (i + 1) * inner); };
  return attend(part(0), part(1), part(2), heads, dropout, bias);
}

Tensor cross_attention(const Tensor& query, const Tensor& memory, int64_t width, double dropout) {
  const auto inner = query.size(2), heads = inner / width;
  if (can_fuse_tokens(memory) && query.scalar_type() == memory.scalar_type() &&
      query.size(0) == memory.size(0) && fits_attention(query.size(1), memory.size(1), width))
    return fused_cross_attention(query, memory, heads, dropout);
  return attend(query, memory.slice(2, 0, inner), memory.slice(2, inner), heads, dropout, {});
}

}  // namespace plateforge::ops
