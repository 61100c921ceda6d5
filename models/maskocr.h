#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <memory>
#include <vector>

#include "models/network.h"
#include "models/patches.h"
#include "models/transformer.h"

namespace plateforge {

// MaskOCR (Lyu et al., arXiv 2206.00311), with the sizes of gfickel/alpr: a transformer over
// patches of the plate, usually strips of its whole height, and a decoder that asks one learned
// query per character. N plates, T patches, D channels, S slots.

class MaskOcrEncoder : public torch::nn::Module {
 public:
  explicit MaskOcrEncoder(const ModelConfig& config);

  // Tokens with their positions, [N, 3, H, W] -> [N, T, D]; `hidden` as PatchEmbedding takes it.
  torch::Tensor embed(const torch::Tensor& images, const torch::Tensor& hidden = {});
  // Any choice of embedded tokens [N, V, D]; `bias` as SelfAttention takes it.
  torch::Tensor forward(const torch::Tensor& tokens, const torch::Tensor& bias = {});

 private:
  double dropout_;
  std::shared_ptr<PatchEmbedding> patch_;
  torch::Tensor positions_;  // [T, D]; form reference: [1 + T, D], the first belongs to no patch
  std::vector<std::shared_ptr<EncoderLayer>> layers_;
  torch::nn::LayerNorm norm_;
};

class MaskOcrDecoder : public torch::nn::Module {
 public:
  explicit MaskOcrDecoder(const ModelConfig& config);
  torch::Tensor forward(const torch::Tensor& memory);  // [N, T, D] -> [N, S, D]

 private:
  torch::Tensor queries_;  // [S, D]
  torch::Tensor sines_;    // form reference: [S, D], fixed
  std::vector<std::shared_ptr<DecoderLayer>> layers_;
  torch::nn::LayerNorm norm_{nullptr};  // form mended
};

class MaskOcr : public Network {
 public:
  MaskOcr(const ModelConfig& config, int64_t num_classes);
  torch::Tensor forward(const torch::Tensor& images) override;  // [N, 3, H, W] -> [N, C, S]

  // The language stage: the patches marked in `hidden` [N, T] bool are not looked at, and zeros
  // stand where their features would.
  torch::Tensor forward_hiding(const torch::Tensor& images, const torch::Tensor& hidden);

 private:
  torch::Tensor read(const torch::Tensor& features);  // [N, T, D] -> [N, C, S]

  std::shared_ptr<MaskOcrEncoder> encoder_;
  std::shared_ptr<MaskOcrDecoder> decoder_;  // null with a CTC head
  torch::nn::Linear head_;
};

// model.maskocr.slots must be set (see for_region()). Throws Error for sizes that do not fit.
NetworkPtr make_maskocr(const ModelConfig& config, int64_t num_classes, uint64_t seed);
// Slots, or patches in a row with a CTC head.
int64_t maskocr_time_steps(const ModelConfig& config);

}  // namespace plateforge
