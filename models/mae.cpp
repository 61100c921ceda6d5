#include "models/mae.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "configs/error.h"
#include "models/blocks.h"
#include "models/eval_mode.h"
#include "models/ops/attention.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

constexpr double kLeastVariance = 1e-6;  // of a patch, as in MAE's code

LayerSpec painter_spec(const ModelConfig& config) {
  const auto& parts = config.maskocr;
  return {.dim = parts.dim,
          .heads = parts.encoder_heads,
          .head_dim = parts.encoder_head_dim,
          .feed = config.mae.feed,
          .activation = parts.activation};
}

LayerSpec regressor_spec(const ModelConfig& config) {
  auto spec = painter_spec(config);
  spec.heads = config.maskocr.decoder_heads;
  spec.head_dim = spec.dim / spec.heads;
  spec.attention_bias = true;
  return spec;
}

// Rows order[n, i] of x[n]: [N, T, D] and [N, V] -> [N, V, D].
Tensor pick(const Tensor& x, const Tensor& order) {
  return x.gather(1, order.unsqueeze(2).expand({-1, -1, x.size(2)}));
}

// Mean and standard deviation of every patch, [N, M, 1].
std::pair<Tensor, Tensor> statistics(const Tensor& patches) {
  const auto variance = patches.var(2, /*unbiased=*/true, /*keepdim=*/true);
  return {patches.mean(2, /*keepdim=*/true), (variance + kLeastVariance).sqrt()};
}

}  // namespace

MaskedAutoencoder::MaskedAutoencoder(const ModelConfig& config)
    : grid_(patch_grid(config)),
      normalize_target_(config.mae.normalize_target),
      visible_(std::clamp<int64_t>(
          static_cast<int64_t>(static_cast<double>(grid_.tokens()) * (1 - config.mae.mask_ratio) +
                               0.5),
          1, grid_.tokens() - 1)),
      encoder_(register_module("encoder", std::make_shared<MaskOcrEncoder>(config))),
      painter_(register_module("painter", std::make_shared<nn::Module>())),
      regressor_(register_module("regressor", std::make_shared<nn::Module>())),
      mask_token_(painter_->register_parameter("mask_token", torch::zeros({config.maskocr.dim}))),
      positions_(painter_->register_parameter("positions",
                                              torch::zeros({grid_.tokens(), config.maskocr.dim}))),
      regressor_layers_(add_layers<DecoderLayer>(*regressor_, config.mae.regressor_layers,
                                                 regressor_spec(config))),
      layers_(add_layers<EncoderLayer>(*painter_, config.mae.layers, painter_spec(config))),
      norm_(painter_->register_module("norm", make_layer_norm(config.maskocr.dim))),
      pixels_(painter_->register_module("pixels", nn::Linear(config.maskocr.dim, grid_.values()))) {
  require(!config.maskocr.overlap,
          "pre-training hides patches, which do not overlap: set model.maskocr.overlap to false");
}

Tensor MaskedAutoencoder::pixels(const Tensor& images) const {
  return cut_patches(images, grid_, /*overlap=*/false);
}

Tensor MaskedAutoencoder::encode(const Tensor& images, const Tensor& shown, const Tensor& others) {
  const auto hidden = torch::zeros({images.size(0), grid_.tokens()},
                                   torch::dtype(torch::kBool).device(images.device()));
  return encoder_->forward(pick(encoder_->embed(images, hidden.scatter(1, others, true)), shown));
}

MaskedAutoencoder::Painting MaskedAutoencoder::paint(const Tensor& images, const Tensor& order) {
  const auto seen_places = order.slice(1, 0, visible_), places = order.slice(1, visible_);
  const auto seen = encode(images, seen_places, places);

  Painting painting;
  painting.wanted = pick(pixels(images), places);
  if (normalize_target_) {
    const auto [mean, deviation] = statistics(painting.wanted);
    painting.wanted = (painting.wanted - mean) / deviation;
  }
  const auto positions = positions_.unsqueeze(0).expand({order.size(0), -1, -1});
  const auto hidden = mask_token_ + pick(positions, places);  // all that is known of them
  Tensor flow;
  if (regressor_layers_.empty()) {
    flow = torch::cat({seen + pick(positions, seen_places), hidden}, 1);
  } else {
    painting.features = hidden;
    for (const auto& layer : regressor_layers_)
      painting.features = layer->forward(painting.features, seen);
    flow = painting.features + pick(positions, places);
    const torch::NoGradGuard no_grad;
    const EvalMode at_rest(*encoder_);
    painting.aligned = encode(images, places, seen_places);
  }
  for (const auto& layer : layers_) flow = layer->forward(flow);
  flow = norm_(flow.slice(1, flow.size(1) - places.size(1)));
  painting.painted = ops::linear(*pixels_, flow);
  return painting;
}

Tensor MaskedAutoencoder::masked(const Tensor& images, const Tensor& order) {
  const auto hidden = pick(pixels(images), order.slice(1, visible_));
  return replace(images, order, torch::zeros_like(hidden));
}

Tensor MaskedAutoencoder::reconstruct(const Tensor& images, const Tensor& order) {
  auto painted = paint(images, order).painted.to(images.scalar_type());
  if (normalize_target_) {
    const auto [mean, deviation] = statistics(pick(pixels(images), order.slice(1, visible_)));
    painted = painted * deviation + mean;
  }
  return replace(images, order, painted);
}

Tensor MaskedAutoencoder::replace(const Tensor& images, const Tensor& order,
                                  const Tensor& patches) {
  const auto places = order.slice(1, visible_).unsqueeze(2).expand_as(patches);
  return pixels(images)
      .scatter(1, places, patches)
      .reshape(
          {images.size(0), grid_.rows, grid_.columns, grid_.height, grid_.width, grid_.channels})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape(images.sizes());
}

Tensor MaskedAutoencoder::forward(const Tensor& images) {
  return encoder_->forward(encoder_->embed(images));
}

NetworkPtr make_mae(const ModelConfig& config, int64_t /*num_classes*/, uint64_t seed) {
  auto network = std::make_shared<MaskedAutoencoder>(config);
  initialize_transformer(*network, seed);
  return network;
}

int64_t mae_time_steps(const ModelConfig& config) {
  fail("model.name = ", config.name,
       " only pre-trains an encoder and reads nothing; expected a reader: train one from it with "
       "model.init_from");
}

}  // namespace plateforge
