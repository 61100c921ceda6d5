#pragma once

#include <memory>
#include <vector>

#include "models/maskocr.h"

namespace plateforge {

// Pre-training of MaskOCR's encoder without labels: most patches are hidden, the encoder sees the
// others, a small decoder paints the hidden ones (MAE, He et al., arXiv 2111.06377). The encoder's
// weights have the names they have in MaskOcr. With a regressor the features of the hidden patches
// are predicted first, from those of the visible ones, and only they are painted (MaskOCR 3.1, as
// in CAE, arXiv 2202.03026). N plates, T patches of P values, M of them hidden.
class MaskedAutoencoder : public Network {
 public:
  explicit MaskedAutoencoder(const ModelConfig& config);

  struct Painting {
    torch::Tensor painted, wanted;    // [N, M, P], of the hidden patches, in the order of `order`
    torch::Tensor features, aligned;  // [N, M, D]: predicted and the encoder's own, at rest;
                                      // undefined without a regressor
  };
  // `order` [N, T] int64: a permutation of the patches of each plate; the first visible() of them
  // are seen.
  Painting paint(const torch::Tensor& images, const torch::Tensor& order);
  int64_t visible() const { return visible_; }

  // The pictures with their hidden patches grey, and painted, in the units of `images`.
  torch::Tensor masked(const torch::Tensor& images, const torch::Tensor& order);
  torch::Tensor reconstruct(const torch::Tensor& images, const torch::Tensor& order);
  // What the encoder makes of whole plates, [N, T, D].
  torch::Tensor forward(const torch::Tensor& images) override;

 private:
  torch::Tensor pixels(const torch::Tensor& images) const;  // [N, T, P]
  // Features [N, V, D] of the patches `shown` [N, V], of plates without the `others`.
  torch::Tensor encode(const torch::Tensor& images, const torch::Tensor& shown,
                       const torch::Tensor& others);
  // `images` with other hidden patches [N, M, P].
  torch::Tensor replace(const torch::Tensor& images, const torch::Tensor& order,
                        const torch::Tensor& patches);

  PatchGrid grid_;
  bool normalize_target_;
  int64_t visible_;
  std::shared_ptr<MaskOcrEncoder> encoder_;
  std::shared_ptr<torch::nn::Module> painter_, regressor_;
  torch::Tensor mask_token_;  // [D]
  torch::Tensor positions_;   // [T, D]
  std::vector<std::shared_ptr<DecoderLayer>> regressor_layers_;
  std::vector<std::shared_ptr<EncoderLayer>> layers_;
  torch::nn::LayerNorm norm_;
  torch::nn::Linear pixels_;
};

NetworkPtr make_mae(const ModelConfig& config, int64_t num_classes, uint64_t seed);
// Throws Error: it reads nothing.
int64_t mae_time_steps(const ModelConfig& config);

}  // namespace plateforge
