#include "models/pafpn.h"

#include <torch/utils.h>

#include <cmath>

#include "models/ops/layers.h"

namespace plateforge {

namespace nn = torch::nn;
using torch::Tensor;

PaFpn::PaFpn(const std::vector<Level>& backbone, size_t levels, int64_t channels) {
  auto sources = backbone;
  if (levels > sources.size()) {
    const auto count = levels - sources.size();
    extra_ = register_module(
        "extra", std::make_shared<ExtraLevels>(sources.back().channels, channels, count, 1e-5));
    sources.resize(levels, {0, channels});
  }
  const auto laterals = add_child(*this, "lateral_convs");
  for (const auto& level : sources) {
    const auto owner = add_child(*laterals, std::to_string(lateral_.size()));
    lateral_.push_back(owner->register_module(
        "conv", make_conv({.in = level.channels, .out = channels, .bias = true})));
  }
  fpn_ = add("fpn_convs", levels, channels, 1);
  down_ = add("downsample_convs", levels - 1, channels, 2);
  pafpn_ = add("pafpn_convs", levels - 1, channels, 1);
}

PaFpn::Convs PaFpn::add(const std::string& name, size_t count, int64_t channels, int64_t stride) {
  Convs convs;
  const auto list = add_child(*this, name);
  for (size_t i = 0; i < count; ++i)
    convs.push_back(add_child(*list, std::to_string(i))
                        ->register_module("conv", make_conv({.in = channels,
                                                             .out = channels,
                                                             .kernel = 3,
                                                             .stride = stride,
                                                             .bias = true})));
  return convs;
}

std::vector<Tensor> PaFpn::forward(const std::vector<Tensor>& maps) {
  auto levels = maps;
  if (extra_) extra_->extend(levels);
  const auto run = [](nn::Conv2d& conv, const Tensor& x) { return ops::convolution(*conv, x); };
  for (size_t i = 0; i < levels.size(); ++i) levels[i] = run(lateral_[i], levels[i]);
  for (size_t i = levels.size() - 1; i-- > 0;)
    levels[i] = levels[i] + up_to(levels[i + 1], levels[i]);
  for (size_t i = 0; i < levels.size(); ++i) levels[i] = run(fpn_[i], levels[i]);
  for (size_t i = 1; i < levels.size(); ++i)
    levels[i] = levels[i] + run(down_[i - 1], levels[i - 1]);
  for (size_t i = 1; i < levels.size(); ++i) levels[i] = run(pafpn_[i - 1], levels[i]);
  return levels;
}

void PaFpn::initialize(at::Generator& generator) {
  initialize_fan_out(*this, generator);  // biases and norms
  const torch::NoGradGuard no_grad;
  for (const auto* convs : {&lateral_, &fpn_, &down_, &pafpn_})
    for (const auto& conv : *convs) xavier_uniform(conv, generator);
}

}  // namespace plateforge
