#include "models/ops/layers.h"

namespace plateforge::ops {

torch::Tensor batch_norm_relu(torch::nn::BatchNorm2dImpl& norm, const torch::Tensor& x) {
  return torch::relu(norm.forward(x));
}

torch::Tensor conv_relu(torch::nn::Conv2dImpl& conv, const torch::Tensor& x) {
  return torch::relu(conv.forward(x));
}

torch::Tensor channel_max_pool(const torch::Tensor& x, const PoolStride& stride) {
  const auto kept = stride.channels == 1 ? x : x.slice(1, 0, x.size(1), stride.channels);  // a view
  return torch::max_pool2d(kept, {3, 3}, {stride.height, stride.width});
}

torch::Tensor dropout(const torch::Tensor& x, double p, bool training) {
  return training && p > 0 ? torch::dropout(x, p, training) : x;
}

}  // namespace plateforge::ops
