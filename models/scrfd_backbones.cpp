#include "models/scrfd_backbones.h"

#include <torch/utils.h>

#include <array>
#include <functional>
#include <optional>

#include "models/blocks.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

class Layer : public nn::Module {
 public:
  virtual Tensor forward(const Tensor& x) = 0;
};

// The ConvNorms of an nn::Sequential(conv, norm, relu, conv, norm, relu, ...) of the publishers.
class Chain : public Layer {
 public:
  explicit Chain(const std::vector<ConvSpec>& specs) {
    for (size_t i = 0; i < specs.size(); ++i)
      parts_.push_back(add_conv_norm(*this, specs[i], Activation::relu,
                                     {std::to_string(3 * i), std::to_string(3 * i + 1)}));
  }
  Tensor forward(const Tensor& x) override {
    auto y = x;
    for (const auto& part : parts_) y = part(y);
    return y;
  }

 private:
  std::vector<ConvNorm> parts_;
};

std::shared_ptr<Layer> depthwise_separable(int64_t in, int64_t out, int64_t stride) {
  return std::make_shared<Chain>(std::vector<ConvSpec>{{in, in, 3, stride, in}, {in, out}});
}

class DepthwiseStem : public Layer {
 public:
  DepthwiseStem()
      : conv_(register_module("0", std::make_shared<Chain>(std::vector<ConvSpec>{{3, 16, 3, 2}}))),
        separable_(register_module("1", depthwise_separable(16, 16, 1))) {}
  Tensor forward(const Tensor& x) override { return separable_->forward(conv_->forward(x)); }

 private:
  std::shared_ptr<Layer> conv_, separable_;
};

// Repeats the last row and column of a map whose extent is odd, so that halving rounds up.
Tensor even(Tensor x) {
  for (const int64_t axis : {2, 3})
    if (x.size(axis) % 2 == 1)
      x = torch::cat({x, x.slice(axis, x.size(axis) - 1, x.size(axis))}, axis);
  return x;
}

// relu(conv(conv(x)) + shortcut)
class BasicBlock : public Layer {
 public:
  BasicBlock(int64_t in, int64_t out, int64_t stride)
      : stride_(stride),
        first_(add_conv_norm(*this, {in, out, 3, stride}, Activation::relu, {"conv1", "bn1"})),
        second_(add_conv_norm(*this, {out, out, 3}, Activation::none, {"conv2", "bn2"})) {
    if (stride != 1 || in != out)
      shortcut_ =
          add_conv_norm(*add_child(*this, "downsample"), {in, out}, Activation::none, {"1", "2"});
  }

  Tensor forward(const Tensor& x) override {
    const auto y = second_(first_(x));
    return torch::relu(y + (shortcut_ ? (*shortcut_)(reduced(x)) : x));
  }

  void start_as_identity() { second_.norm->weight.zero_(); }

 private:
  Tensor reduced(const Tensor& x) const {
    return stride_ == 1 ? x : torch::avg_pool2d(even(x), {2, 2}, {2, 2});
  }

  int64_t stride_;
  ConvNorm first_, second_;
  std::optional<ConvNorm> shortcut_;
};

std::shared_ptr<Layer> basic_block(int64_t in, int64_t out, int64_t stride) {
  return std::make_shared<BasicBlock>(in, out, stride);
}

// A stem and four stages, each of which halves the map; the first does not behind a pooled stem.
struct StagedSpec {
  std::array<int64_t, 4> blocks, channels;
  int64_t stem_channels;
  bool pooled_stem;
  std::function<std::shared_ptr<Layer>(int64_t in, int64_t out, int64_t stride)> make_layer;
};

class StagedBackbone : public Backbone {
 public:
  StagedBackbone(const std::shared_ptr<Layer>& stem, const StagedSpec& spec,
                 const std::vector<int64_t>& strides, bool whole)
      : pooled_stem_(spec.pooled_stem),
        taps_(tapped_stages(strides)),
        stem_(register_module("stem", stem)) {
    auto in = spec.stem_channels;
    const auto count = whole ? spec.blocks.size() : taps_.back() + 1;
    for (size_t i = 0; i < count; ++i) {
      const auto owner = add_child(*this, "layer" + std::to_string(i + 1));
      auto& stage = stages_.emplace_back();
      for (int64_t block = 0; block < spec.blocks[i]; ++block, in = spec.channels[i]) {
        const bool halves = block == 0 && !(i == 0 && pooled_stem_);
        stage.push_back(owner->register_module(
            std::to_string(block), spec.make_layer(in, spec.channels[i], halves ? 2 : 1)));
      }
    }
    for (size_t i = 0; i < taps_.size(); ++i)
      levels_.push_back({strides[i], spec.channels[taps_[i]]});
  }

  std::vector<Tensor> forward(const Tensor& images) override {
    auto flow = stem_->forward(images);
    if (pooled_stem_) flow = torch::max_pool2d(even(flow), {2, 2}, {2, 2});
    std::vector<Tensor> maps;
    for (size_t i = 0; maps.size() < taps_.size(); ++i) {
      for (const auto& layer : stages_[i]) flow = layer->forward(flow);
      if (i == taps_[maps.size()]) maps.push_back(flow);
    }
    return maps;
  }

  void initialize(at::Generator& generator) override {
    initialize_fan_out(*this, generator);
    const torch::NoGradGuard no_grad;
    for (const auto& layer : modules())
      if (auto* block = dynamic_cast<BasicBlock*>(layer.get())) block->start_as_identity();
  }

 private:
  bool pooled_stem_;
  std::vector<size_t> taps_;
  std::shared_ptr<Layer> stem_;
  std::vector<std::vector<std::shared_ptr<Layer>>> stages_;
};

}  // namespace

std::shared_ptr<Backbone> make_scrfd_500m(const std::vector<int64_t>& strides, bool whole) {
  const StagedSpec spec = {{2, 3, 2, 6}, {40, 72, 152, 288}, 16, false, depthwise_separable};
  return std::make_shared<StagedBackbone>(std::make_shared<DepthwiseStem>(), spec, strides, whole);
}

std::shared_ptr<Backbone> make_scrfd_2g5(const std::vector<int64_t>& strides, bool whole) {
  const StagedSpec spec = {{3, 5, 3, 2}, {24, 48, 48, 80}, 24, true, basic_block};
  const auto stem =
      std::make_shared<Chain>(std::vector<ConvSpec>{{3, 12, 3, 2}, {12, 12, 3}, {12, 24, 3}});
  return std::make_shared<StagedBackbone>(stem, spec, strides, whole);
}

}  // namespace plateforge
