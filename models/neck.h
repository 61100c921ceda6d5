#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <optional>
#include <vector>

#include "models/backbone.h"
#include "models/blocks.h"

namespace plateforge {

// Mixes the levels of a feature pyramid, finest first. Each level's extents are those of the one
// before, halved and rounded up, so any input size will do.
class Neck : public torch::nn::Module {
 public:
  // [N, Level::channels, H, W] per level of the backbone -> [N, channels, H, W] per level of the
  // detector, which may have more: the coarser ones are made from the backbone's last.
  virtual std::vector<torch::Tensor> forward(const std::vector<torch::Tensor>& maps) = 0;
  virtual void initialize(at::Generator& generator) = 0;
};

// By DetectorConfig::neck, for config.strides.size() levels.
std::shared_ptr<Neck> make_neck(const DetectorConfig& config, const std::vector<Level>& backbone);

// The coarser map by nearest 2x up-sampling, cut to the extents of the finer one.
torch::Tensor up_to(const torch::Tensor& coarse, const torch::Tensor& fine);
// 3x3 max-pooling of stride 2: [N, C, H, W] -> [N, C, ceil(H / 2), ceil(W / 2)].
torch::Tensor halved(const torch::Tensor& x);

// Levels behind the backbone's last: a 1x1 convolution with BN brings it to `channels`, then each
// is the one before, halved.
class ExtraLevels : public torch::nn::Module {
 public:
  ExtraLevels(int64_t in, int64_t channels, size_t count, double epsilon);
  // Appends the extra levels to `maps`.
  void extend(std::vector<torch::Tensor>& maps) const;

 private:
  size_t count_;
  std::optional<ConvNorm> project_;  // none where the channels agree
};

}  // namespace plateforge
