#include "models/patches.h"

#include <bit>
#include <string>

#include "configs/error.h"
#include "models/ops/attention.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;
using torch::Tensor;

// Patches that start at the left edge, without overlap; columns that do not fill one are left out.
// [N, channels, H, W] -> [N, rows, columns, P]
Tensor cut_rows(const Tensor& map, const PatchGrid& grid) {
  const auto columns = map.size(3) / grid.width;
  return map.slice(3, 0, columns * grid.width)
      .reshape({map.size(0), grid.channels, grid.rows, grid.height, columns, grid.width})
      .permute({0, 2, 4, 3, 5, 1})
      .reshape({map.size(0), grid.rows, columns, grid.values()});
}

// even, odd, even, ..., even
Tensor interleave(const Tensor& even, const Tensor& odd) {
  const auto pairs = odd.size(2);
  const auto both =
      torch::cat({even.slice(2, 0, pairs).unsqueeze(3), odd.unsqueeze(3)}, 3).flatten(2, 3);
  return even.size(2) > pairs ? torch::cat({both, even.slice(2, pairs)}, 2) : both;
}

// `images` without the pixels of patches marked in `hidden` [N, T]: zero is a middle grey.
Tensor blank(const Tensor& images, const Tensor& hidden, const PatchGrid& grid) {
  const auto pixels = hidden.reshape({hidden.size(0), 1, grid.rows, 1, grid.columns, 1})
                          .expand({-1, -1, -1, grid.height, -1, grid.width})
                          .reshape({hidden.size(0), 1, images.size(2), images.size(3)});
  return images.masked_fill(pixels, 0);
}

}  // namespace

PatchGrid patch_grid(const ModelConfig& config) {
  const auto& parts = config.maskocr;
  const auto height = parts.patch_height > 0 ? parts.patch_height : config.height;
  const auto width = parts.patch_width;
  require(config.height % height == 0 && config.width % width == 0, "patches of ", height,
          " rows and ", width, " columns do not tile an input of ", config.height, " rows and ",
          config.width, " columns: change model.maskocr.patch_height and patch_width");
  const bool halves_to_one =
      width > 1 && std::has_single_bit(static_cast<uint64_t>(width)) && height % width == 0;
  require(
      parts.stem == 0 || (halves_to_one && !parts.overlap), "model.maskocr.stem halves patches of ",
      height, " rows and ", width,
      " columns until they are one column wide: set model.maskocr.patch_width to a power of two "
      "that divides the rows, and overlap to false");
  require(!parts.overlap || width % 2 == 0, "model.maskocr.overlap needs an even patch_width, not ",
          width);
  const auto columns = config.width / width;
  return {height, width, config.height / height, parts.overlap ? 2 * columns - 1 : columns};
}

Tensor cut_patches(const Tensor& map, const PatchGrid& grid, bool overlap) {
  auto cut = cut_rows(map, grid);
  if (overlap) cut = interleave(cut, cut_rows(map.slice(3, grid.width / 2), grid));
  return cut.flatten(1, 2);
}

ConvStem::ConvStem(int64_t channels, const PatchGrid& pixels) : grid_(pixels) {
  for (auto out = channels; grid_.width > 1; out *= 2) {
    const auto number = std::to_string(layers_.size());
    layers_.push_back(add_conv_norm(*this,
                                    {.in = grid_.channels, .out = out, .kernel = 3, .stride = 2},
                                    Activation::relu, {"conv" + number, "norm" + number}));
    grid_.height /= 2, grid_.width /= 2, grid_.channels = out;
  }
}

Tensor ConvStem::forward(const Tensor& images) {
  auto map = images;
  for (const auto& layer : layers_) map = layer(map);
  return map;
}

PatchEmbedding::PatchEmbedding(const ModelConfig& config)
    : pixels_(patch_grid(config)),
      overlap_(config.maskocr.overlap),
      stem_(config.maskocr.stem > 0
                ? register_module("stem", std::make_shared<ConvStem>(config.maskocr.stem, pixels_))
                : nullptr),
      grid_(stem_ ? stem_->grid() : pixels_),
      norm1_(register_module("norm1", make_layer_norm(grid_.values()))),
      linear_(register_module("linear", nn::Linear(grid_.values(), config.maskocr.dim))),
      norm2_(register_module("norm2", make_layer_norm(config.maskocr.dim))) {}

Tensor PatchEmbedding::forward(const Tensor& images, const Tensor& hidden) {
  auto map = images;
  if (stem_) map = stem_->forward(hidden.defined() ? blank(images, hidden, pixels_) : images);
  return norm2_(ops::linear(*linear_, norm1_(cut_patches(map, grid_, overlap_))));
}

}  // namespace plateforge
