#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include <memory>
#include <vector>

#include "configs/run_config.h"
#include "models/blocks.h"

namespace plateforge {

// How a plate becomes the tokens of a transformer. N plates, T patches of P values, D channels.

// A map [N, channels, H, W] cut into patches.
struct PatchGrid {
  int64_t height, width;  // of a patch, rows and columns of the map
  int64_t rows, columns;
  int64_t channels = 3;
  int64_t tokens() const { return rows * columns; }
  int64_t values() const { return height * width * channels; }
};
// Of the pixels. Throws Error when the patches do not tile the input, or cannot have the stem or
// the overlap that is configured.
PatchGrid patch_grid(const ModelConfig& config);

// Patches in reading order, row by row; the values of one by row, column, channel.
// [N, channels, H, W] -> [N, T, P]
torch::Tensor cut_patches(const torch::Tensor& map, const PatchGrid& grid, bool overlap);

// Convolutions in front of a transformer, each with stride 2, until a patch is one column wide
// (Xiao et al., arXiv 2106.14881): they find strokes wherever they lie, which a linear layer over
// the pixels of a patch must learn for every place.
class ConvStem : public torch::nn::Module {
 public:
  // `channels` of the first convolution; every next one has twice as many.
  ConvStem(int64_t channels, const PatchGrid& pixels);
  torch::Tensor forward(const torch::Tensor& images);
  const PatchGrid& grid() const { return grid_; }  // of its map

 private:
  std::vector<ConvNorm> layers_;
  PatchGrid grid_;
};

// norm(linear(norm(patch))), the patch of pixels or of what a ConvStem makes of them.
class PatchEmbedding : public torch::nn::Module {
 public:
  explicit PatchEmbedding(const ModelConfig& config);
  // [N, 3, H, W] -> [N, T, D]. Patches marked in `hidden` [N, T] bool, which may be undefined, do
  // not show through in the tokens of the others.
  torch::Tensor forward(const torch::Tensor& images, const torch::Tensor& hidden);

 private:
  PatchGrid pixels_;
  bool overlap_;
  std::shared_ptr<ConvStem> stem_;  // null without one
  PatchGrid grid_;
  torch::nn::LayerNorm norm1_;
  torch::nn::Linear linear_;
  torch::nn::LayerNorm norm2_;
};

}  // namespace plateforge
