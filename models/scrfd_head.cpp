#include "models/scrfd_head.h"

#include <torch/utils.h>

#include <numeric>

#include "models/ops/layers.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

constexpr int64_t kGroups = 32;
constexpr double kConvStd = 0.01;
constexpr double kScoreBias = -4.595;  // its sigmoid is 0.01: nearly all anchors are background
// Strides from the centre to each side at first, where the network says it plainly. A box turned
// inside out overlaps nothing, and its gradient would not say which way to go.
constexpr double kFirstDistance = 2;

ConvSpec output_spec(const DetectorConfig& config, int64_t values) {
  const auto in = config.head_depth > 0 ? config.head_channels : config.neck_channels;
  const auto anchors = static_cast<int64_t>(config.anchor_scales.size());
  return {.in = in,
          .out = anchors * values,
          .kernel = config.head_convolution == "full" ? 3 : 1,
          .bias = true};
}

// [N, anchors * values, H, W] -> [N, H * W * anchors, values]; in channels_last a view.
Tensor rows(const Tensor& x, int64_t values) {
  return x.permute({0, 2, 3, 1}).reshape({x.size(0), -1, values});
}

}  // namespace

HeadTower::HeadTower(int64_t in, const DetectorConfig& config) {
  const auto channels = config.head_channels;
  const bool group_norm = config.head_norm == "group";
  for (int64_t i = 0; i < config.head_depth; ++i, in = channels) {
    if (config.head_convolution == "full") {
      add({in, channels, 3}, group_norm);
    } else {
      add({in, in, 3, 1, in}, group_norm);
      add({in, channels}, group_norm);
    }
  }
}

void HeadTower::add(const ConvSpec& spec, bool group_norm) {
  const auto owner = add_child(*this, std::to_string(layers_.size()));
  const auto conv = owner->register_module("conv", make_conv(spec));
  if (group_norm)
    layers_.push_back({conv, owner->register_module(
                                 "norm", nn::GroupNorm(std::gcd(kGroups, spec.out), spec.out))});
  else
    layers_.push_back({conv, owner->register_module("norm", nn::BatchNorm2d(spec.out))});
}

Tensor HeadTower::forward(const Tensor& x) {
  auto flow = x;
  for (auto& layer : layers_) {
    flow = ops::convolution(*layer.conv, flow);
    if (auto* norm = std::get_if<nn::BatchNorm2d>(&layer.norm))
      flow = ops::batch_norm_relu(**norm, flow);
    else
      flow = ops::group_norm_relu(*std::get<nn::GroupNorm>(layer.norm), flow);
  }
  return flow;
}

HeadBranch::HeadBranch(const DetectorConfig& config)
    : output_(config),
      tower_(register_module("tower", std::make_shared<HeadTower>(config.neck_channels, config))),
      score_(register_module("score", make_conv(output_spec(config, 1)))),
      box_(register_module("box", make_conv(output_spec(config, 4 * output_.bins)))),
      corners_(register_module("corners", make_conv(output_spec(config, 8)))) {
  if (config.head_towers == "two")
    box_tower_ =
        register_module("box_tower", std::make_shared<HeadTower>(config.neck_channels, config));
}

Tensor HeadBranch::forward(const Tensor& map, const Tensor& scale) {
  const auto flow = tower_->forward(map);
  const auto box_flow = box_tower_ ? box_tower_->forward(map) : flow;
  auto box = ops::convolution(*box_, box_flow);
  if (scale.defined()) box = box * scale;
  return torch::cat({rows(ops::convolution(*score_, flow), 1), rows(box, 4 * output_.bins),
                     rows(ops::convolution(*corners_, box_flow), 8)},
                    2);
}

void HeadBranch::initialize(at::Generator& generator) {
  initialize_fan_out(*this, generator);  // biases and norms
  const torch::NoGradGuard no_grad;
  for (const auto& layer : modules())
    if (auto* conv = layer->as<nn::Conv2d>()) conv->weight.normal_(0.0, kConvStd, generator);
  score_->bias.fill_(kScoreBias);
  if (output_.bins == 1) box_->bias.fill_(kFirstDistance);
}

ScrfdHead::ScrfdHead(const DetectorConfig& config) {
  const auto levels = config.strides.size();
  if (config.head_shared) {
    branches_.assign(levels, register_module("shared", std::make_shared<HeadBranch>(config)));
    scales_ = register_parameter("scales", torch::ones(static_cast<int64_t>(levels)));
    return;
  }
  for (size_t i = 0; i < levels; ++i)
    branches_.push_back(
        register_module("level" + std::to_string(i), std::make_shared<HeadBranch>(config)));
}

Tensor ScrfdHead::forward(const std::vector<Tensor>& maps) {
  std::vector<Tensor> levels;
  for (size_t i = 0; i < maps.size(); ++i) {
    const auto scale = scales_.defined() ? scales_[static_cast<int64_t>(i)] : Tensor();
    levels.push_back(branches_[i]->forward(maps[i], scale));
  }
  return torch::cat(levels, 1);
}

void ScrfdHead::initialize(at::Generator& generator) {
  for (size_t i = 0; i < branches_.size(); ++i)
    if (i == 0 || branches_[i] != branches_[0]) branches_[i]->initialize(generator);
}

}  // namespace plateforge
