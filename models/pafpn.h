#pragma once

#include <torch/nn/modules/conv.h>

#include <memory>
#include <vector>

#include "models/neck.h"

namespace plateforge {

// Path aggregation (Liu et al., arXiv 1803.01534) as SCRFD has it: 1x1 convolutions, sums from
// coarse to fine, 3x3 convolutions, sums from fine to coarse through 3x3 convolutions of stride 2,
// 3x3 convolutions of all levels but the first. All with biases, without norms and activations.
class PaFpn : public Neck {
 public:
  PaFpn(const std::vector<Level>& backbone, size_t levels, int64_t channels);
  std::vector<torch::Tensor> forward(const std::vector<torch::Tensor>& maps) override;
  void initialize(at::Generator& generator) override;  // Xavier-uniform

 private:
  using Convs = std::vector<torch::nn::Conv2d>;
  Convs add(const std::string& name, size_t count, int64_t channels, int64_t stride);

  std::shared_ptr<ExtraLevels> extra_;  // null where the backbone has all levels
  Convs lateral_, fpn_, down_, pafpn_;
};

}  // namespace plateforge
