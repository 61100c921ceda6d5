#pragma once

#include <torch/nn/modules/linear.h>
#include <torch/types.h>

#include <string>

namespace plateforge::ops {

// Parts of a transformer. Each is an ordinary composition of LibTorch operators; while a network
// trains on the CPU they run as fused kernels with the same results.

// x W^T + b.
torch::Tensor linear(torch::nn::LinearImpl& layer, const torch::Tensor& x);

// gelu, gelu_tanh, silu, relu.
torch::Tensor activation(const torch::Tensor& x, const std::string& name);

// softmax(q k^T / sqrt(W)) v in each head of W channels. `dropout` is that of the weights, 0 at
// rest. Of tokens that look at each other: queries, keys and values side by side, [N, T, 3 D] ->
// [N, T, D]. `bias` is added to the scores [N, D / W, T, T] where it is defined.
torch::Tensor self_attention(const torch::Tensor& tokens, int64_t width, double dropout,
                             const torch::Tensor& bias = {});
// Of queries [N or 1, S, D] that look at keys and values side by side, [N, T, 2 D] -> [N, S, D].
torch::Tensor cross_attention(const torch::Tensor& query, const torch::Tensor& memory,
                              int64_t width, double dropout);

}  // namespace plateforge::ops
