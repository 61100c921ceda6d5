#pragma once

#include <torch/nn/modules/conv.h>
#include <torch/utils.h>

#include "models/graph/passes.h"
#include "models/graph/trace.h"
#include "tests/support/small_nets.h"

namespace plateforge {

// Two convolutions around a shortcut, ReLU behind the sum.
class ShortcutCnn : public Network {
 public:
  ShortcutCnn() {
    namespace nn = torch::nn;
    stem = register_module("stem", nn::Conv2d(nn::Conv2dOptions(3, 16, 3).padding(1)));
    first = register_module("first", nn::Conv2d(nn::Conv2dOptions(16, 16, 3).padding(1)));
    second = register_module("second", nn::Conv2d(nn::Conv2dOptions(16, 16, 3).padding(1)));
    head = register_module("head", nn::Conv2d(nn::Conv2dOptions(16, 5, 1)));
  }
  torch::Tensor forward(const torch::Tensor& images) override {
    const auto x = torch::relu(stem(images));
    return head(torch::relu(x + second(torch::relu(first(x)))));
  }
  torch::nn::Conv2d stem{nullptr}, first{nullptr}, second{nullptr}, head{nullptr};
};

// What LPRNet does with its channels: every second one goes on through a pool and a strided slice,
// all of them into an averaged context that is normalised and concatenated.
class ForkCnn : public Network {
 public:
  ForkCnn() {
    namespace nn = torch::nn;
    stem = register_module("stem", nn::Conv2d(nn::Conv2dOptions(3, 16, 3)));
    body = register_module("body", nn::Conv2d(nn::Conv2dOptions(8, 16, 1).groups(2)));
    head = register_module("head", nn::Conv2d(nn::Conv2dOptions(32, 5, 1)));
  }
  torch::Tensor forward(const torch::Tensor& images) override {
    const auto x = torch::relu(stem(images));
    const auto kept = torch::max_pool2d(x, 3, 1).slice(1, 0, c10::nullopt, 2);
    const auto context = torch::avg_pool2d(x, 3, 1);
    const auto scaled = context / context.pow(2).mean({1, 2, 3}, /*keepdim=*/true);
    return head(torch::cat({scaled, torch::relu(body(kept))}, 1));
  }
  torch::nn::Conv2d stem{nullptr}, body{nullptr}, head{nullptr};
};

// A network's deployed graph for pictures of 12 x 20 with an open batch.
inline Graph deployed(Network& network) {
  auto graph = trace(network, {-1, 3, 12, 20});
  simplify(graph);
  return graph;
}

inline std::vector<torch::Tensor> pictures(int64_t batches, uint64_t seed, int64_t batch = 4) {
  torch::manual_seed(seed);
  std::vector<torch::Tensor> all;
  for (int64_t i = 0; i < batches; ++i) all.push_back(torch::rand({batch, 3, 12, 20}) * 2 - 1);
  return all;
}

}  // namespace plateforge
