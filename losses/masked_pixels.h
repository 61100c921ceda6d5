#pragma once

#include <ATen/core/Tensor.h>

namespace plateforge {

// Loss of a masked autoencoder: mean squared error of the hidden patches' pixels (MAE, He et al.,
// arXiv 2111.06377), and `alignment` times that of their features where those were predicted
// (MaskOCR, arXiv 2206.00311; they use 0.05).
//   painted, wanted    [N, M, P]
//   features, aligned  [N, M, D], or undefined; no gradient reaches `aligned`
// Scalar, differentiable, fp32 inside.
at::Tensor masked_pixel_loss(const at::Tensor& painted, const at::Tensor& wanted,
                             const at::Tensor& features, const at::Tensor& aligned,
                             double alignment);

}  // namespace plateforge
