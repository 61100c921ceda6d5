#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>

#include <memory>
#include <variant>
#include <vector>

#include "models/blocks.h"
#include "models/detector.h"

namespace plateforge {

// SCRFD's head (Guo et al., arXiv 2105.04714): towers of convolutions, then scores, box distances
// and corners for every anchor of a location.

// `depth` times 3x3 convolution, norm, ReLU; or depthwise 3x3, norm, ReLU, 1x1, norm, ReLU.
class HeadTower : public torch::nn::Module {
 public:
  HeadTower(int64_t in, const DetectorConfig& config);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  using Norm = std::variant<torch::nn::BatchNorm2d, torch::nn::GroupNorm>;
  struct Layer {
    torch::nn::Conv2d conv;
    Norm norm;
  };
  void add(const ConvSpec& spec, bool group_norm);

  std::vector<Layer> layers_;
};

// Towers and outputs of one level, or of all where they are shared. The outputs are 3x3
// convolutions; 1x1 where the head is separable.
class HeadBranch : public torch::nn::Module {
 public:
  explicit HeadBranch(const DetectorConfig& config);
  // [N, neck channels, H, W] -> [N, H * W * anchors, DetectorOutput::size()]; `scale` multiplies
  // the box values unless it is undefined.
  torch::Tensor forward(const torch::Tensor& map, const torch::Tensor& scale);
  void initialize(at::Generator& generator);

 private:
  DetectorOutput output_;
  std::shared_ptr<HeadTower> tower_, box_tower_;  // the second is null where one serves both
  torch::nn::Conv2d score_, box_, corners_;
};

// All levels. Where they share one branch, each has a learned factor for its box values; separate
// branches have that in their weights.
class ScrfdHead : public torch::nn::Module {
 public:
  explicit ScrfdHead(const DetectorConfig& config);
  // A map per level, finest first -> [N, A, K] as models/detector.h lays it out.
  torch::Tensor forward(const std::vector<torch::Tensor>& maps);
  // Convolutions N(0, 0.01), scores start at 0.01 (bias -4.595), plain distances at two strides.
  void initialize(at::Generator& generator);

 private:
  std::vector<std::shared_ptr<HeadBranch>> branches_;  // one, or one per level
  torch::Tensor scales_;                               // [levels]; undefined without sharing
};

}  // namespace plateforge
