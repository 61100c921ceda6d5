#include "models/ops/batch_norm_relu.h"

#include <ATen/record_function.h>
#include <torch/autograd.h>
#include <torch/nn/modules/batchnorm.h>

#include "models/ops/batch_norm.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <bool Relu, class T>
NormGradient differentiate(const T* x, const T* dy, T* dx, int64_t rows, const Affine& affine) {
  const auto channels = static_cast<int64_t>(affine.mean.size());
  const auto add = [&](int64_t begin, int64_t end, ChannelSums& sums) {
    add_gradient_rows<Relu>(x + begin * channels, dy + begin * channels, end - begin, affine, sums);
  };
  auto gradient = norm_gradient(sum_chunks(rows, channels, folding(add)), affine, rows);
  for_chunks(rows, [&](int64_t, int64_t begin, int64_t end) {
    const auto from = begin * channels;
    write_gradient_rows<Relu>(x + from, dy + from, dx + from, end - begin, affine, gradient);
  });
  return gradient;
}

template <bool Relu>
struct BatchNorm : torch::autograd::Function<BatchNorm<Relu>> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, torch::nn::BatchNorm2dImpl* norm) {
    RECORD_FUNCTION("plateforge::batch_norm", std::vector<c10::IValue>());
    const auto channels = x.size(1), rows = x.numel() / channels;
    const auto affine = batch_affine(*norm, x);
    auto y = torch::empty_like(x);
    with_element_type(x, [&]<class T>(T*) {
      for_chunks(rows, [&](int64_t, int64_t begin, int64_t end) {
        normalize_rows<Relu>(input<T>(x) + begin * channels, output<T>(y) + begin * channels,
                             end - begin, affine);
      });
    });
    context->save_for_backward({x, weight, bias, saved_statistics(affine)});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto& x = saved[0];
    const auto affine = restored_affine(saved[3], saved[1], saved[2]);
    const auto dy = gradient_like(gradients[0], x.scalar_type());
    auto dx = torch::empty_like(x);
    NormGradient gradient;
    with_element_type(x, [&]<class T>(T*) {
      gradient = differentiate<Relu>(input<T>(x), input<T>(dy), output<T>(dx),
                                     x.numel() / x.size(1), affine);
    });
    return {dx, gradient.dweight, gradient.dbias, Tensor()};
  }
};

}  // namespace

Tensor fused_batch_norm_relu(torch::nn::BatchNorm2dImpl& norm, const Tensor& x) {
  return BatchNorm<true>::apply(x, norm.weight, norm.bias, &norm);
}

Tensor fused_batch_norm(torch::nn::BatchNorm2dImpl& norm, const Tensor& x) {
  return BatchNorm<false>::apply(x, norm.weight, norm.bias, &norm);
}

}  // namespace plateforge::ops
