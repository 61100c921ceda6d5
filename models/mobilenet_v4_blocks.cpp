#include "models/mobilenet_v4_blocks.h"

#include <torch/utils.h>

#include <cmath>
#include <optional>
#include <stdexcept>

#include "models/ops/layers.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

constexpr int64_t kHeads = 4, kHeadWidth = 64;
constexpr double kLayerScale = 1e-5;

// A learned factor per channel. timm keeps it in a module of its own.
class LayerScale {
 public:
  LayerScale(nn::Module& owner, int64_t channels)
      : gamma_(add_child(owner, "layer_scale")
                   ->register_parameter("gamma", torch::full({channels}, kLayerScale))) {}
  Tensor operator()(const Tensor& x) const { return x * gamma_.reshape({-1, 1, 1}); }

 private:
  Tensor gamma_;
};

std::optional<LayerScale> maybe_scale(nn::Module& owner, const MnV4BlockSpec& spec) {
  return spec.layer_scale ? std::optional<LayerScale>(std::in_place, owner, spec.out)
                          : std::nullopt;
}

bool keeps_shape(const MnV4BlockSpec& spec) { return spec.stride == 1 && spec.in == spec.out; }

class ConvBlock : public MnV4Block {
 public:
  explicit ConvBlock(const MnV4BlockSpec& spec)
      : conv_(add_conv_norm(*this, {spec.in, spec.out, spec.row.k_mid, spec.stride},
                            Activation::relu, {"conv", "bn1"})) {}
  Tensor forward(const Tensor& x) override { return conv_(x); }

 private:
  ConvNorm conv_;
};

class FusedBottleneck : public MnV4Block {
 public:
  explicit FusedBottleneck(const MnV4BlockSpec& spec)
      : expand_(add_conv_norm(*this, {spec.in, inner(spec), spec.row.k_mid, spec.stride},
                              Activation::relu, {"conv_exp", "bn1"})),
        project_(
            add_conv_norm(*this, {inner(spec), spec.out}, Activation::none, {"conv_pwl", "bn2"})),
        residual_(keeps_shape(spec)) {}
  Tensor forward(const Tensor& x) override {
    const auto y = project_(expand_(x));
    return residual_ ? y + x : y;
  }

 private:
  static int64_t inner(const MnV4BlockSpec& spec) {
    return round_channels(static_cast<double>(spec.in * spec.row.expansion));
  }

  ConvNorm expand_, project_;
  bool residual_;
};

// Depthwise k_start, 1x1 up, depthwise k_mid, 1x1 down; the stride is that of the last depthwise.
class InvertedBottleneck : public MnV4Block {
 public:
  explicit InvertedBottleneck(const MnV4BlockSpec& spec) : residual_(keeps_shape(spec)) {
    const auto& row = spec.row;
    const auto inner = round_channels(static_cast<double>(spec.in * row.expansion));
    if (row.k_start > 0)
      start_ =
          add("dw_start", {spec.in, spec.in, row.k_start, row.k_mid > 0 ? 1 : spec.stride, spec.in},
              Activation::none);
    expand_ = add("pw_exp", {spec.in, inner}, Activation::relu);
    if (row.k_mid > 0)
      middle_ = add("dw_mid", {inner, inner, row.k_mid, spec.stride, inner}, Activation::relu);
    project_ = add("pw_proj", {inner, spec.out}, Activation::none);
    scale_ = maybe_scale(*this, spec);
  }

  Tensor forward(const Tensor& x) override {
    auto y = expand_(start_ ? (*start_)(x) : x);
    if (middle_) y = (*middle_)(y);
    y = project_(y);
    if (scale_) y = (*scale_)(y);
    return residual_ ? y + x : y;
  }

 private:
  ConvNorm add(const std::string& name, const ConvSpec& spec, Activation activation) {
    return add_conv_norm(*add_child(*this, name), spec, activation);
  }

  std::optional<ConvNorm> start_, middle_;
  ConvNorm expand_, project_;
  std::optional<LayerScale> scale_;
  bool residual_;
};

// Keys or values: one set for all heads, taken from a coarser map where the stride says so.
class Shared {
 public:
  Shared(nn::Module& owner, const std::string& name, int64_t channels, int64_t stride) {
    const auto own = add_child(owner, name);
    if (stride > 1)
      down_ = add_conv_norm(*own, {channels, channels, 3, stride, channels}, Activation::none,
                            {"down_conv", "norm"});
    project_ = own->register_module("proj", make_conv({channels, kHeadWidth}));
  }
  // [N, M, kHeadWidth] for the M places of the (coarser) map
  Tensor operator()(const Tensor& x) const {
    const auto y = ops::convolution(*project_.ptr(), down_ ? (*down_)(x) : x);
    return y.flatten(2).transpose(1, 2);
  }
  void initialize(at::Generator& generator) const;

 private:
  std::optional<ConvNorm> down_;
  nn::Conv2d project_{nullptr};
};

void Shared::initialize(at::Generator& generator) const {
  xavier_uniform(project_, generator);
  if (down_) xavier_uniform(down_->conv, generator);
}

// softmax(q k / sqrt(width)) v with four queries per place but one key and one value.
class MobileAttention : public MnV4Block {
 public:
  explicit MobileAttention(const MnV4BlockSpec& spec)
      : norm_(register_module("norm", nn::BatchNorm2d(spec.in))),
        attention_(add_child(*this, "attn")),
        query_(add_child(*attention_, "query")
                   ->register_module("proj", make_conv({spec.in, kHeads * kHeadWidth}))),
        key_(*attention_, "key", spec.in, spec.row.stride),
        value_(*attention_, "value", spec.in, spec.row.stride),
        output_(add_child(*attention_, "output")
                    ->register_module("proj", make_conv({kHeads * kHeadWidth, spec.out}))),
        scale_(maybe_scale(*this, spec)) {}

  // The heads of a place are rows of one matrix: in channels_last nothing is copied for that.
  Tensor forward(const Tensor& x) override {
    const auto normed = norm_(x);
    const auto query = ops::convolution(*query_, normed) * (1 / std::sqrt(double{kHeadWidth}));
    const auto rows = query.permute({0, 2, 3, 1}).reshape({x.size(0), -1, kHeadWidth});
    const auto weights = torch::matmul(rows, key_(normed).transpose(1, 2)).softmax(2);
    const auto mixed = torch::matmul(weights, value_(normed))
                           .reshape({x.size(0), x.size(2), x.size(3), kHeads * kHeadWidth})
                           .permute({0, 3, 1, 2});
    auto y = ops::convolution(*output_, mixed);
    if (scale_) y = (*scale_)(y);
    return y + x;
  }

  void initialize(at::Generator& generator) const {
    const torch::NoGradGuard no_grad;
    xavier_uniform(query_, generator);
    key_.initialize(generator);
    value_.initialize(generator);
    xavier_uniform(output_, generator);
  }

 private:
  nn::BatchNorm2d norm_;
  std::shared_ptr<nn::Module> attention_;
  nn::Conv2d query_;
  Shared key_, value_;
  nn::Conv2d output_;
  std::optional<LayerScale> scale_;
};

}  // namespace

std::shared_ptr<MnV4Block> make_mnv4_block(const MnV4BlockSpec& spec) {
  switch (spec.row.kind) {
    case MnV4Row::Kind::conv:
      return std::make_shared<ConvBlock>(spec);
    case MnV4Row::Kind::fused:
      return std::make_shared<FusedBottleneck>(spec);
    case MnV4Row::Kind::uib:
      return std::make_shared<InvertedBottleneck>(spec);
    case MnV4Row::Kind::attention:
      return std::make_shared<MobileAttention>(spec);
  }
  throw std::logic_error("make_mnv4_block: unknown kind");
}

void initialize_attention(MnV4Block& block, at::Generator& generator) {
  if (const auto* attention = dynamic_cast<const MobileAttention*>(&block))
    attention->initialize(generator);
}

}  // namespace plateforge
