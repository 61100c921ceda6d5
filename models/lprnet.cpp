#include "models/lprnet.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "configs/error.h"
#include "models/ops/layers.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

struct Extent {
  int64_t height, width;
};

nn::Conv2d conv(int64_t in, int64_t out, Extent kernel, Extent padding = {0, 0}) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, {kernel.height, kernel.width})
                        .padding({padding.height, padding.width}));
}

Widths widths(const ModelConfig& config) {
  const auto scaled = [&](int64_t channels) {
    const auto eighths = std::llround(static_cast<double>(channels) * config.width_multiplier / 8);
    return std::max<int64_t>(1, eighths) * 8;
  };
  return {scaled(64), scaled(128), scaled(256)};
}

// Channels left when every `step`-th is kept.
int64_t kept(int64_t channels, int64_t step) { return (channels - 1) / step + 1; }

int64_t pooled(int64_t size, int64_t window, int64_t stride) {
  return (size - window) / stride + 1;
}

Extent t18_output(Extent input) {
  const auto half = [](int64_t width) { return pooled(width, 3, 2); };
  return {input.height - 20, half(half(input.width - 4)) - 3};
}

// The map in front of the (kH, 1) convolution that removes what is left of the height.
Extent t88_map(Extent input) {
  const auto half = [](int64_t height) { return pooled(height, 3, 2); };
  return {half(half(input.height - 2)), input.width - 6};
}

Extent input_extent(const ModelConfig& config) { return {config.height, config.width}; }

ContextNorm context_norm(const ModelConfig& config) {
  return config.context == "whole_batch" ? ContextNorm::kWholeBatch : ContextNorm::kPerSample;
}

std::shared_ptr<SpatialTransformer> make_stn(const ModelConfig& config) {
  return config.stn ? std::make_shared<SpatialTransformer>(config.height, config.width) : nullptr;
}

struct Window {
  int64_t size, stride;
};

// Average-pooling window that brings `from` to `to` without overlap where that fits, else with it:
// 92 -> 18 is 5 by 5, 44 -> 18 is 10 by 2, as published.
Window average_window(int64_t from, int64_t to) {
  const auto stride = from / to;
  const auto tiles = pooled(from, stride, stride) == to;
  return {tiles ? stride : from - (to - 1) * stride, stride};
}

ops::AverageWindow average_window(const Tensor& x, Extent to) {
  const auto h = average_window(x.size(2), to.height);
  const auto w = average_window(x.size(3), to.width);
  return {h.size, w.size, h.stride, w.stride};
}

}  // namespace

Tensor normalize_context(const Tensor& x, ContextNorm norm) {
  const auto squares = x.pow(2);
  return norm == ContextNorm::kWholeBatch ? x / squares.mean()
                                          : x / squares.mean({1, 2, 3}, /*keepdim=*/true);
}

SmallBasicBlock::SmallBasicBlock(int64_t in, int64_t out)
    : block_(register_module("block", std::make_shared<nn::Module>())),
      reduce_(block_->register_module("0", conv(in, out / 4, {1, 1}))),
      vertical_(block_->register_module("2", conv(out / 4, out / 4, {3, 1}, {1, 0}))),
      horizontal_(block_->register_module("4", conv(out / 4, out / 4, {1, 3}, {0, 1}))),
      expand_(block_->register_module("6", conv(out / 4, out, {1, 1}))) {}

Tensor SmallBasicBlock::forward(const Tensor& x) {
  auto flow = ops::conv_relu(*reduce_, x);
  flow = ops::conv_relu(*vertical_, flow);
  flow = ops::conv_relu(*horizontal_, flow);
  return ops::convolution(*expand_, flow);
}

SpatialTransformer::SpatialTransformer(int64_t height, int64_t width)
    : localization_(register_module("localization", std::make_shared<nn::Module>())),
      fc_loc_(register_module("fc_loc", std::make_shared<nn::Module>())),
      conv1_(localization_->register_module("0", conv(3, 32, {3, 3}))),
      conv2_(localization_->register_module("3", conv(32, 32, {5, 5}))),
      fc1_(fc_loc_->register_module(
          "0", nn::Linear(32 * (((height - 2) / 2 - 4) / 3) * (((width - 2) / 2 - 4) / 3), 32))),
      fc2_(fc_loc_->register_module("2", nn::Linear(32, 6))) {}

void SpatialTransformer::reset_to_identity() {
  const torch::NoGradGuard no_grad;
  fc2_->weight.zero_();
  fc2_->bias.copy_(torch::tensor({1.F, 0.F, 0.F, 0.F, 1.F, 0.F}));
}

Tensor SpatialTransformer::forward(const Tensor& images) {
  auto flow = torch::relu(torch::max_pool2d(conv1_(images), 2));  // [N, 32, 11, 46]
  flow = torch::relu(torch::max_pool2d(conv2_(flow), 3));         // [N, 32, 2, 14]
  const auto theta = fc2_(torch::relu(fc1_(flow.flatten(1)))).reshape({-1, 2, 3});  // [N, 2, 3]
  const auto grid = torch::affine_grid_generator(theta.to(images.dtype()), images.sizes(),
                                                 /*align_corners=*/false);
  return torch::grid_sampler(images, grid, /*bilinear=*/0, /*zero padding=*/0,
                             /*align_corners=*/false);
}

LprNet::LprNet(const ModelConfig& config, int64_t num_classes)
    : LprNet(config, num_classes, widths(config)) {}

LprNet::LprNet(const ModelConfig& config, int64_t classes, const Widths& width)
    : dropout_(config.dropout),
      context_(context_norm(config)),
      stn_(make_stn(config)),
      backbone_(register_module("backbone", std::make_shared<nn::Module>())),
      container_(register_module("container", std::make_shared<nn::Module>())),
      conv0_(backbone_->register_module("0", conv(3, width.low, {3, 3}))),
      norm1_(backbone_->register_module("1", nn::BatchNorm2d(width.low))),
      block4_(backbone_->register_module(
          "4", std::make_shared<SmallBasicBlock>(width.low, width.middle))),
      norm5_(backbone_->register_module("5", nn::BatchNorm2d(width.middle))),
      block8_(backbone_->register_module(
          "8", std::make_shared<SmallBasicBlock>(kept(width.middle, 2), width.high))),
      norm9_(backbone_->register_module("9", nn::BatchNorm2d(width.high))),
      block11_(backbone_->register_module(
          "11", std::make_shared<SmallBasicBlock>(width.high, width.high))),
      norm12_(backbone_->register_module("12", nn::BatchNorm2d(width.high))),
      conv16_(backbone_->register_module("16", conv(kept(width.high, 4), width.high, {1, 4}))),
      norm17_(backbone_->register_module("17", nn::BatchNorm2d(width.high))),
      conv20_(backbone_->register_module("20", conv(width.high, classes, {13, 1}))),
      norm21_(backbone_->register_module("21", nn::BatchNorm2d(classes))),
      head_(container_->register_module(
          "0", conv(width.low + width.middle + width.high + classes, classes, {1, 1}))) {
  if (stn_) register_module("stn", stn_);
}

// N plates, C classes; extents in the comments are those of a 94x24 input at multiplier 1.
Tensor LprNet::forward(const Tensor& images) {
  const auto map = t18_output({images.size(2), images.size(3)});  // 4x18
  auto flow = ops::convolution(*conv0_, stn_ ? stn_->forward(images) : images);
  const auto a = ops::norm_relu_pool(*norm1_, flow, {}, average_window(flow, map));
  flow = block4_->forward(a.pooled);  // [N, 128, 20, 90]

  const auto b =
      ops::norm_relu_pool(*norm5_, flow, {.channels = 2, .width = 2}, average_window(flow, map));
  flow = block8_->forward(b.pooled);  // [N, 256, 18, 44]

  flow = ops::batch_norm_relu(*norm9_, flow);
  flow = block11_->forward(flow);  // [N, 256, 18, 44]

  const auto c =
      ops::norm_relu_pool(*norm12_, flow, {.channels = 4, .width = 2}, average_window(flow, map));
  flow = ops::dropout(c.pooled, dropout_, is_training());
  flow = ops::batch_norm_relu(*norm17_, ops::convolution(*conv16_, flow));  // [N, 256, 16, 18]
  flow = ops::dropout(flow, dropout_, is_training());
  const auto d = ops::batch_norm_relu(*norm21_, conv20_(flow));  // [N, C, 4, 18]

  const auto context =
      torch::cat({normalize_context(a.average, context_), normalize_context(b.average, context_),
                  normalize_context(c.average, context_), normalize_context(d, context_)},
                 1);              // [N, 448 + C, 4, 18]
  return head_(context).mean(2);  // [N, C, 18]
}

WideLprNet::WideLprNet(const ModelConfig& config, int64_t num_classes)
    : WideLprNet(config, num_classes, widths(config)) {}

WideLprNet::WideLprNet(const ModelConfig& config, int64_t classes, const Widths& width)
    : dropout_(config.dropout),
      stn_(make_stn(config)),
      backbone_(register_module("backbone", std::make_shared<nn::Module>())),
      container_(register_module("container", std::make_shared<nn::Module>())),
      conv0_(backbone_->register_module("0", conv(3, width.low, {3, 3}, {1, 1}))),
      norm1_(backbone_->register_module("1", nn::BatchNorm2d(width.low))),
      block4_(backbone_->register_module(
          "4", std::make_shared<SmallBasicBlock>(width.low, width.middle))),
      norm5_(backbone_->register_module("5", nn::BatchNorm2d(width.middle))),
      block8_(backbone_->register_module(
          "8", std::make_shared<SmallBasicBlock>(width.middle, width.high))),
      norm9_(backbone_->register_module("9", nn::BatchNorm2d(width.high))),
      block11_(backbone_->register_module(
          "11", std::make_shared<SmallBasicBlock>(width.high, width.high))),
      norm12_(backbone_->register_module("12", nn::BatchNorm2d(width.high))),
      conv16_(backbone_->register_module(
          "16", conv(width.high, width.high, {t88_map(input_extent(config)).height, 1}))),
      norm17_(backbone_->register_module("17", nn::BatchNorm2d(width.high))),
      conv20_(backbone_->register_module("20", conv(width.high, classes, {1, 13}, {0, 6}))),
      norm21_(backbone_->register_module("21", nn::BatchNorm2d(classes))),
      context_(container_->register_module(
          "context", conv(classes, width.middle, {1, t88_map(input_extent(config)).width}))),
      context_norm_(container_->register_module("context_norm", nn::BatchNorm2d(width.middle))),
      head_(container_->register_module("0", conv(classes, classes, {1, 1}))),
      context_head_(
          container_->register_module("context_head", conv(width.middle, classes, {1, 1}))) {
  if (stn_) register_module("stn", stn_);
}

Tensor WideLprNet::forward(const Tensor& images) {
  const auto stem = conv0_(stn_ ? stn_->forward(images) : images);
  auto flow = ops::batch_norm_relu(*norm1_, stem);
  flow = ops::channel_max_pool(flow, {});  // [N, 64, 22, 92]
  flow = ops::batch_norm_relu(*norm5_, block4_->forward(flow));
  flow = ops::channel_max_pool(flow, {.height = 2});  // [N, 128, 10, 90]
  flow = ops::batch_norm_relu(*norm9_, block8_->forward(flow));
  flow = ops::batch_norm_relu(*norm12_, block11_->forward(flow));
  flow = ops::channel_max_pool(flow, {.height = 2});  // [N, 256, 4, 88]
  flow = ops::dropout(flow, dropout_, is_training());
  flow = ops::batch_norm_relu(*norm17_, conv16_(flow));  // [N, 256, 1, 88]
  flow = ops::dropout(flow, dropout_, is_training());
  flow = ops::batch_norm_relu(*norm21_, conv20_(flow));  // [N, C, 1, 88]

  // A 1x1 convolution over [map, tiled context] is the sum of one over each, which needs no tiling.
  const auto context = ops::batch_norm_relu(*context_norm_, context_(flow));  // [N, 128, 1, 1]
  return (head_(flow) + context_head_(context)).squeeze(2);                   // [N, C, 88]
}

NetworkPtr make_lprnet(const ModelConfig& config, int64_t num_classes, uint64_t seed) {
  lprnet_time_steps(config);  // refuses sizes that the layers below cannot take
  NetworkPtr network;
  if (config.head == "t88")
    network = std::make_shared<WideLprNet>(config, num_classes);
  else
    network = std::make_shared<LprNet>(config, num_classes);
  initialize_layers(*network, seed);
  for (const auto& module : network->modules())
    if (auto* stn = module->as<SpatialTransformer>()) stn->reset_to_identity();
  return network;
}

int64_t lprnet_time_steps(const ModelConfig& config) {
  const auto input = input_extent(config);
  const bool wide = config.head == "t88";
  const auto output = wide ? t88_map(input) : t18_output(input);
  const auto least = wide ? Extent{9, 7} : Extent{21, 23};
  require(input.height >= least.height && input.width >= least.width,
          "model.width x model.height = ", config.width, "x", config.height,
          " is too small for lprnet with head ", config.head, ": at least ", least.width, "x",
          least.height);
  require(!config.stn || (input.height >= 16 && input.width >= 16),
          "model.stn needs an input of at least 16x16");
  return output.width;
}

}  // namespace plateforge
