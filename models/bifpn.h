#pragma once

#include <torch/nn/modules/conv.h>

#include <memory>
#include <vector>

#include "models/neck.h"

namespace plateforge {

// BiFPN (Tan et al., EfficientDet, arXiv 1911.09070).

// How a node adds its inputs x_i:
//   sum      sum x_i
//   fast     sum relu(w_i) / (1e-4 + sum relu(w_j)) x_i
//   softmax  sum exp(w_i) / sum exp(w_j) x_i
enum class Fusion { sum, fast, softmax };

struct BiFpnOptions {
  size_t levels = 3;
  int64_t channels = 64;
  int64_t repeats = 3;
  Fusion fusion = Fusion::fast;
  Activation activation = Activation::relu;
};
BiFpnOptions bifpn_options(const DetectorConfig& config);

// norm(pointwise(depthwise 3x3(activation(fused inputs)))). An input whose channels differ goes
// through a 1x1 convolution with BN first, one for each node that reads it.
class BiFpnNode : public torch::nn::Module {
 public:
  // `inputs`: channels of what is fused; the later ones are resampled, so have the node's already.
  BiFpnNode(const std::vector<int64_t>& inputs, const BiFpnOptions& options);
  torch::Tensor forward(const std::vector<torch::Tensor>& inputs);

 private:
  torch::Tensor fuse(const std::vector<torch::Tensor>& inputs) const;
  torch::Tensor shares() const;  // [inputs]

  Fusion fusion_;
  Activation activation_;
  torch::Tensor weights_;  // [inputs]; undefined for sums
  std::vector<std::optional<ConvNorm>> laterals_;
  torch::nn::Conv2d depthwise_;
  ConvNorm pointwise_;
};

// Top-down nodes from the last level but one to the second, then bottom-up nodes from the first
// level to the last.
class BiFpnCell : public torch::nn::Module {
 public:
  BiFpnCell(const std::vector<int64_t>& inputs, const BiFpnOptions& options);
  std::vector<torch::Tensor> forward(const std::vector<torch::Tensor>& maps);

 private:
  std::vector<std::shared_ptr<BiFpnNode>> down_, up_;  // by level; none at the ends of down_
};

class BiFpn : public Neck {
 public:
  BiFpn(const std::vector<Level>& backbone, const BiFpnOptions& options);
  std::vector<torch::Tensor> forward(const std::vector<torch::Tensor>& maps) override;
  void initialize(at::Generator& generator) override { initialize_fan_out(*this, generator); }

 private:
  std::shared_ptr<ExtraLevels> extra_;  // null where the backbone has all levels
  std::vector<std::shared_ptr<BiFpnCell>> cells_;
};

}  // namespace plateforge
