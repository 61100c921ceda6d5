#include "models/bifpn.h"

#include "models/ops/layers.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

// EfficientDet's. Its momentum of 0.01 is for schedules a hundred times as long as ours and is not
// taken over.
constexpr double kNormEpsilon = 1e-3;
constexpr double kFusionEpsilon = 1e-4;

Fusion fusion_of(const std::string& name) {
  return name == "sum" ? Fusion::sum : name == "fast" ? Fusion::fast : Fusion::softmax;
}

}  // namespace

BiFpnOptions bifpn_options(const DetectorConfig& config) {
  return {config.strides.size(), config.neck_channels, config.neck_repeats,
          fusion_of(config.fusion),
          config.activation == "relu" ? Activation::relu : Activation::hard_swish};
}

BiFpnNode::BiFpnNode(const std::vector<int64_t>& inputs, const BiFpnOptions& options)
    : fusion_(options.fusion),
      activation_(options.activation),
      laterals_(inputs.size()),
      depthwise_(register_module(
          "depthwise", make_conv({options.channels, options.channels, 3, 1, options.channels}))),
      pointwise_(add_conv_norm(*this,
                               {.in = options.channels, .out = options.channels, .bias = true},
                               Activation::none, {"pointwise", "norm"}, kNormEpsilon)) {
  if (fusion_ != Fusion::sum)
    weights_ = register_parameter("weights", torch::ones(static_cast<int64_t>(inputs.size())));
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i] != options.channels)
      laterals_[i] = add_conv_norm(*add_child(*this, "lateral" + std::to_string(i)),
                                   {.in = inputs[i], .out = options.channels, .bias = true},
                                   Activation::none, {}, kNormEpsilon);
}

Tensor BiFpnNode::shares() const {
  if (fusion_ == Fusion::softmax) return weights_.softmax(0);
  const auto positive = torch::relu(weights_);
  const auto count = static_cast<double>(weights_.size(0));
  return positive / (positive.mean() * count + kFusionEpsilon);
}

Tensor BiFpnNode::fuse(const std::vector<Tensor>& inputs) const {
  const auto share = fusion_ == Fusion::sum ? Tensor() : shares();
  Tensor total;
  for (size_t i = 0; i < inputs.size(); ++i) {
    auto part = laterals_[i] ? (*laterals_[i])(inputs[i]) : inputs[i];
    if (share.defined()) part = part * share[static_cast<int64_t>(i)];
    total = total.defined() ? total + part : part;
  }
  return total;
}

Tensor BiFpnNode::forward(const std::vector<Tensor>& inputs) {
  return pointwise_(ops::convolution(*depthwise_, activate(fuse(inputs), activation_)));
}

BiFpnCell::BiFpnCell(const std::vector<int64_t>& inputs, const BiFpnOptions& options)
    : down_(inputs.size()), up_(inputs.size()) {
  const auto own = options.channels;
  const auto last = inputs.size() - 1;
  const auto add = [&](const std::string& name, const std::vector<int64_t>& channels) {
    return register_module(name, std::make_shared<BiFpnNode>(channels, options));
  };
  for (size_t i = last - 1; i >= 1; --i)
    down_[i] = add("down" + std::to_string(i), {inputs[i], i + 1 == last ? inputs[last] : own});
  for (size_t i = 0; i <= last; ++i) {
    const auto name = "up" + std::to_string(i);
    if (i == 0)
      up_[i] = add(name, {inputs[0], last == 1 ? inputs[last] : own});
    else if (i == last)
      up_[i] = add(name, {inputs[i], own});
    else
      up_[i] = add(name, {inputs[i], own, own});
  }
}

std::vector<Tensor> BiFpnCell::forward(const std::vector<Tensor>& maps) {
  const auto last = maps.size() - 1;
  auto middle = maps;  // the top-down way
  for (size_t i = last - 1; i >= 1; --i)
    middle[i] = down_[i]->forward({maps[i], up_to(middle[i + 1], maps[i])});
  std::vector<Tensor> out = {up_[0]->forward({maps[0], up_to(middle[1], maps[0])})};
  for (size_t i = 1; i <= last; ++i) {
    const auto finer = halved(out.back());
    out.push_back(i == last ? up_[i]->forward({maps[i], finer})
                            : up_[i]->forward({maps[i], middle[i], finer}));
  }
  return out;
}

BiFpn::BiFpn(const std::vector<Level>& backbone, const BiFpnOptions& options) {
  std::vector<int64_t> channels;
  for (const auto& level : backbone) channels.push_back(level.channels);
  if (options.levels > channels.size()) {
    const auto count = options.levels - channels.size();
    extra_ = register_module("extra", std::make_shared<ExtraLevels>(
                                          channels.back(), options.channels, count, kNormEpsilon));
    channels.resize(options.levels, options.channels);
  }
  for (int64_t i = 0; i < options.repeats; ++i) {
    cells_.push_back(register_module("cell" + std::to_string(i),
                                     std::make_shared<BiFpnCell>(channels, options)));
    channels.assign(channels.size(), options.channels);
  }
}

std::vector<Tensor> BiFpn::forward(const std::vector<Tensor>& maps) {
  auto levels = maps;
  if (extra_) extra_->extend(levels);
  for (const auto& cell : cells_) levels = cell->forward(levels);
  return levels;
}

}  // namespace plateforge
