#include "losses/masked_pixels.h"

#include <ATen/Functions.h>

namespace plateforge {

namespace {

at::Tensor squared_error(const at::Tensor& output, const at::Tensor& target) {
  return at::mse_loss(output.to(at::kFloat), target.detach().to(at::kFloat));
}

}  // namespace

at::Tensor masked_pixel_loss(const MaskedAutoencoder::Painting& painting, double alignment) {
  const auto loss = squared_error(painting.painted, painting.wanted);
  if (!painting.features.defined()) return loss;
  return loss + alignment * squared_error(painting.features, painting.aligned);
}

}  // namespace plateforge
