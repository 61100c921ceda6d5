#pragma once

#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include "models/network.h"

namespace plateforge {

// Random weights, biases and BatchNorm statistics, so that nothing folds away by luck.
void randomize(torch::nn::Module& module, uint64_t seed);

// Random BatchNorm layers alone: deep networks keep the size of their activations.
void randomize_norms(torch::nn::Module& module, uint64_t seed);

// conv, batch norm, relu, pooling, dropout, linear: what any plain classifier has.
class PlainCnn : public Network {
 public:
  explicit PlainCnn(int64_t channels = 8);
  torch::Tensor forward(const torch::Tensor& images) override;
  torch::nn::Sequential body{nullptr};
  torch::nn::Linear head{nullptr};
};

// A reader with LPRNet's context normaliser over `channels` channels, odd counts included.
class ContextCnn : public Network {
 public:
  explicit ContextCnn(int64_t channels);
  torch::Tensor forward(const torch::Tensor& images) override;
  torch::nn::Conv2d conv{nullptr}, head{nullptr};
};

// What a transformer does with its tokens: LayerNorm, two linear readers, an activation between.
class NormedTokens : public Network {
 public:
  NormedTokens();
  torch::Tensor forward(const torch::Tensor& images) override;
  torch::nn::Conv2d embed{nullptr};
  torch::nn::LayerNorm norm{nullptr};
  torch::nn::Linear gate{nullptr}, value{nullptr}, head{nullptr};
};

// One layer of attention over the places of a picture: 4 heads of 4 channels, their number told by
// the weights alone.
class AttentionNet : public Network {
 public:
  AttentionNet();
  torch::Tensor forward(const torch::Tensor& images) override;
  torch::nn::Conv2d embed{nullptr};
  torch::nn::Linear query{nullptr}, key{nullptr}, value{nullptr}, mix{nullptr};
};

// relu(stem) plus what `body` makes of it.
class ResidualCnn : public Network {
 public:
  ResidualCnn();
  torch::Tensor forward(const torch::Tensor& images) override;
  torch::nn::Conv2d stem{nullptr}, body{nullptr}, head{nullptr};
};

// Two branches side by side through a depthwise convolution, then flattened. Images are 12 x 20.
class BranchCnn : public Network {
 public:
  BranchCnn();
  torch::Tensor forward(const torch::Tensor& images) override;
  torch::nn::Conv2d left{nullptr}, right{nullptr}, depthwise{nullptr};
  torch::nn::Linear head{nullptr};
};

// Like LPRNet without its normaliser: every second channel goes on, all are tapped.
class StridedCnn : public Network {
 public:
  StridedCnn();
  torch::Tensor forward(const torch::Tensor& images) override;
  torch::nn::Conv2d stem{nullptr}, inner{nullptr}, head{nullptr};
};

// Two levels of a feature pyramid: what a pooled map becomes is added to the map, up-sampled.
class PyramidCnn : public Network {
 public:
  PyramidCnn();
  torch::Tensor forward(const torch::Tensor& images) override;
  torch::nn::Conv2d fine{nullptr}, coarse{nullptr}, head{nullptr};
};

// A convolution in two groups.
class GroupedCnn : public Network {
 public:
  GroupedCnn();
  torch::Tensor forward(const torch::Tensor& images) override;
  torch::nn::Conv2d stem{nullptr}, grouped{nullptr}, head{nullptr};
};

}  // namespace plateforge
