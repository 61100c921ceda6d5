#include "models/maskocr.h"

#include <torch/utils.h>

#include <cmath>

#include "configs/error.h"
#include "models/blocks.h"
#include "models/ops/attention.h"
#include "models/ops/layers.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

constexpr double kLongestWave = 10000;  // of the fixed positions, Vaswani et al. 2017

bool is_reference(const ModelConfig& config) { return config.maskocr.form == "reference"; }

LayerSpec encoder_spec(const ModelConfig& config) {
  const auto& parts = config.maskocr;
  return {.dim = parts.dim,
          .heads = parts.encoder_heads,
          .head_dim = parts.encoder_head_dim,
          .feed = parts.encoder_feed,
          .activation = parts.activation,
          .dropout = config.dropout};
}

LayerSpec decoder_spec(const ModelConfig& config) {
  const auto& parts = config.maskocr;
  return {.dim = parts.dim,
          .heads = parts.decoder_heads,
          .head_dim = parts.dim / parts.decoder_heads,
          .feed = parts.decoder_feed,
          .activation = is_reference(config) ? "relu" : parts.activation,
          .dropout = config.dropout,
          .attention_bias = true};
}

// Row s: sines at even, cosines at odd channels.
Tensor sine_table(int64_t rows, int64_t dim) {
  const auto place = torch::arange(rows, torch::kFloat).unsqueeze(1);  // [S, 1]
  const auto pair = torch::arange(0, dim, 2, torch::kFloat);
  const auto angle =
      place * torch::exp(pair * (-std::log(kLongestWave) / static_cast<double>(dim)));
  return torch::stack({angle.sin(), angle.cos()}, 2).flatten(1).slice(1, 0, dim);  // [S, D]
}

void check(const ModelConfig& config) {
  const auto& parts = config.maskocr;
  const auto grid = patch_grid(config);
  require(parts.head != "ctc" || grid.rows == 1,
          "model.maskocr.head = ctc reads one row of patches, but there are ", grid.rows,
          ": set model.maskocr.patch_height to 0");
  require(parts.dim % parts.decoder_heads == 0,
          "model.maskocr.decoder_heads = ", parts.decoder_heads,
          " does not divide model.maskocr.dim = ", parts.dim);
  require(parts.head != "slots" || parts.slots > 0,
          "model.maskocr.slots is not known without a region");
}

}  // namespace

MaskOcrEncoder::MaskOcrEncoder(const ModelConfig& config)
    : dropout_(config.maskocr.embedding_dropout),
      patch_(register_module("patch", std::make_shared<PatchEmbedding>(config))),
      positions_(register_parameter(
          "positions", torch::zeros({patch_grid(config).tokens() + (is_reference(config) ? 1 : 0),
                                     config.maskocr.dim}))),
      layers_(add_layers<EncoderLayer>(*this, config.maskocr.encoder_layers, encoder_spec(config))),
      norm_(register_module("norm", make_layer_norm(config.maskocr.dim))) {
  if (is_reference(config)) register_parameter("class_token", torch::zeros({config.maskocr.dim}));
}

Tensor MaskOcrEncoder::embed(const Tensor& images, const Tensor& hidden) {
  const auto tokens = patch_->forward(images, hidden);
  const auto places = positions_.slice(0, positions_.size(0) - tokens.size(1));
  return ops::dropout(tokens + places, dropout_, is_training());
}

Tensor MaskOcrEncoder::forward(const Tensor& tokens, const Tensor& bias) {
  auto flow = tokens;
  for (const auto& layer : layers_) flow = layer->forward(flow, bias);
  return norm_(flow);
}

MaskOcrDecoder::MaskOcrDecoder(const ModelConfig& config)
    : queries_(
          register_parameter("queries", torch::zeros({config.maskocr.slots, config.maskocr.dim}))),
      layers_(
          add_layers<DecoderLayer>(*this, config.maskocr.decoder_layers, decoder_spec(config))) {
  if (is_reference(config))
    sines_ = register_buffer("sines", sine_table(config.maskocr.slots, config.maskocr.dim));
  else
    norm_ = register_module("norm", make_layer_norm(config.maskocr.dim));
}

// At rest the queries are the same for every plate, and so is what they see of each other.
Tensor MaskOcrDecoder::forward(const Tensor& memory) {
  auto flow = (sines_.defined() ? queries_ + sines_ : queries_).unsqueeze(0);  // [1, S, D]
  if (is_training()) flow = flow.expand({memory.size(0), -1, -1});
  for (const auto& layer : layers_) flow = layer->forward(flow, memory);
  return norm_ ? norm_(flow) : flow;
}

MaskOcr::MaskOcr(const ModelConfig& config, int64_t num_classes)
    : encoder_(register_module("encoder", std::make_shared<MaskOcrEncoder>(config))),
      decoder_(config.maskocr.head == "slots"
                   ? register_module("decoder", std::make_shared<MaskOcrDecoder>(config))
                   : nullptr),
      head_(register_module("head", nn::Linear(config.maskocr.dim, num_classes))) {}

Tensor MaskOcr::forward(const Tensor& images) {
  return read(encoder_->forward(encoder_->embed(images)));
}

Tensor MaskOcr::forward_hiding(const Tensor& images, const Tensor& hidden) {
  const auto unseen = hidden.unsqueeze(1).unsqueeze(1);  // [N, 1, 1, T]
  const auto bias = torch::zeros_like(unseen, torch::kFloat).masked_fill_(unseen, -INFINITY);
  const auto features = encoder_->forward(encoder_->embed(images, hidden), bias);
  return read(features.masked_fill(hidden.unsqueeze(2), 0));
}

Tensor MaskOcr::read(const Tensor& features) {
  const auto steps = decoder_ ? decoder_->forward(features) : features;
  return ops::linear(*head_, steps).transpose(1, 2);
}

NetworkPtr make_maskocr(const ModelConfig& config, int64_t num_classes, uint64_t seed) {
  check(config);
  auto network = std::make_shared<MaskOcr>(config, num_classes);
  initialize_transformer(*network, seed);
  return network;
}

int64_t maskocr_time_steps(const ModelConfig& config) {
  check(config);
  return config.maskocr.head == "slots" ? config.maskocr.slots : patch_grid(config).columns;
}

}  // namespace plateforge
