#include "losses/masked_pixels.h"

#include <ATen/Functions.h>

namespace plateforge {

at::Tensor masked_pixel_loss(const at::Tensor& painted, const at::Tensor& wanted,
                             const at::Tensor& features, const at::Tensor& aligned,
                             double alignment) {
  const auto loss = at::mse_loss(painted.to(at::kFloat), wanted.to(at::kFloat));
  if (!features.defined()) return loss;
  return loss + alignment * at::mse_loss(features.to(at::kFloat), aligned.detach().to(at::kFloat));
}

}  // namespace plateforge
