#pragma once

#include "models/mae.h"

namespace plateforge {

// Loss of a masked autoencoder: mean squared error of the hidden patches' pixels (MAE, He et al.,
// arXiv 2111.06377), and `alignment` times that of their features where those were predicted
// (MaskOCR, arXiv 2206.00311; they use 0.05).
// No gradient reaches `wanted` and `aligned`. Scalar, differentiable, fp32 inside.
at::Tensor masked_pixel_loss(const MaskedAutoencoder::Painting& painting, double alignment);

}  // namespace plateforge
