#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <vector>

#include "configs/detector_config.h"

namespace plateforge {

// A level of a feature pyramid.
struct Level {
  int64_t stride = 0, channels = 0;
};

// Turns images into maps. All known backbones have maps of strides 4, 8, 16 and 32.
class Backbone : public torch::nn::Module {
 public:
  // [N, 3, H, W] -> a map [N, channels, ceil(H / stride), ceil(W / stride)] per level.
  virtual std::vector<torch::Tensor> forward(const torch::Tensor& images) = 0;
  // Fresh weights as published.
  virtual void initialize(at::Generator& generator) = 0;
  const std::vector<Level>& levels() const { return levels_; }  // finest first

 protected:
  std::vector<Level> levels_;
};

// Of the stages 0.. of a backbone, with strides 4, 8, 16, ...: those that are tapped for the
// strides asked for, ascending. Throws Error for a stride that is none of 4, 8, 16 and 32.
std::vector<size_t> tapped_stages(const std::vector<int64_t>& strides);

// By DetectorConfig::backbone, with maps of the given strides. Stages behind the last of them are
// left out unless `whole`; then they have weights, but are not computed.
std::shared_ptr<Backbone> make_backbone(const std::string& name,
                                        const std::vector<int64_t>& strides, bool whole);

}  // namespace plateforge
