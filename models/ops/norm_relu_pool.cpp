#include "models/ops/norm_relu_pool.h"

#include <ATen/record_function.h>
#include <torch/autograd.h>
#include <torch/nn/modules/batchnorm.h>

#include <vector>

#include "models/ops/batch_norm.h"
#include "models/ops/pool_rows.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class T>
void pool_pictures(const Tensor& x, const Affine& affine, const PoolGeometry& g, Tensor& pooled,
                   Tensor& places, Tensor& tap) {
  for_chunks(g.batch, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const T* picture = input<T>(x) + n * g.picture();
      RowPool<T> pool(g, output<T>(pooled) + n * g.pooled_picture(),
                      output<uint8_t>(places) + n * g.pooled_picture(),
                      output<T>(tap) + n * g.tap_picture());
      for (int64_t h = 0; h < g.height; ++h) {
        normalize_rows(picture + h * g.row(), pool.row(h), g.width, affine);
        pool.take(h);
      }
    }
  });
}

// What the backward pass reads: x, and what gives the gradient of the map that was pooled.
template <class T>
struct Pooling {
  const PoolGeometry& g;
  const T *x, *dpooled, *dtap;
  const uint8_t* places;

  // body(first element of the row, its gradient) for all rows of a picture.
  template <class Body>
  void for_rows(int64_t n, const Body& body) const {
    RowPoolGradient<T> gradient(g, dpooled + n * g.pooled_picture(),
                                places + n * g.pooled_picture(), dtap + n * g.tap_picture());
    for (int64_t h = 0; h < g.height; ++h) body(n * g.picture() + h * g.row(), gradient.row(h));
  }
};

template <class T>
NormGradient differentiate(const Pooling<T>& pooling, const Affine& affine, T* dx) {
  const auto& g = pooling.g;
  const auto sums =
      sum_chunks(g.batch, g.channels, [&](int64_t begin, int64_t end, ChannelSums& partial) {
        for (int64_t n = begin; n < end; ++n)
          pooling.for_rows(n, [&](int64_t row, const float* dy) {
            add_gradient_rows(pooling.x + row, dy, g.width, affine, partial);
            partial.fold();
          });
      });
  auto gradient = norm_gradient(sums, affine, g.batch * g.height * g.width);
  for_chunks(g.batch, [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      pooling.for_rows(n, [&](int64_t row, const float* dy) {
        write_gradient_rows(pooling.x + row, dy, dx + row, g.width, affine, gradient);
      });
  });
  return gradient;
}

struct NormReluPool : torch::autograd::Function<NormReluPool> {
  static variable_list forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                               const Tensor& bias, torch::nn::BatchNorm2dImpl* norm,
                               const std::vector<int64_t>& numbers) {
    RECORD_FUNCTION("plateforge::norm_relu_pool", std::vector<c10::IValue>());
    const auto g = unpack(x.sizes(), numbers);
    const auto format = x.options().memory_format(at::MemoryFormat::ChannelsLast);
    auto pooled = torch::empty({g.batch, g.kept, g.pooled_height, g.pooled_width}, format);
    auto tap = torch::empty({g.batch, g.channels, g.tap_height, g.tap_width}, format);
    auto places = torch::empty({g.batch, g.pooled_picture()}, torch::kByte);
    const auto affine = batch_affine(*norm, x);
    with_element_type(x, [&]<class T>(T*) { pool_pictures<T>(x, affine, g, pooled, places, tap); });
    context->saved_data["numbers"] = numbers;
    context->save_for_backward({x, weight, bias, saved_statistics(affine), places});
    return {pooled, tap};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto& x = saved[0];
    const auto affine = restored_affine(saved[3], saved[1], saved[2]);
    const auto g = unpack(x.sizes(), context->saved_data["numbers"].toIntVector());
    const auto dpooled = gradient_like(gradients[0], x.scalar_type());
    const auto dtap = gradient_like(gradients[1], x.scalar_type());
    auto dx = torch::empty_like(x);
    NormGradient gradient;
    with_element_type(x, [&]<class T>(T*) {
      const Pooling<T> pooling = {g, input<T>(x), input<T>(dpooled), input<T>(dtap),
                                  input<uint8_t>(saved[4])};
      gradient = differentiate(pooling, affine, output<T>(dx));
    });
    return {dx, gradient.dweight, gradient.dbias, Tensor(), Tensor()};
  }

  static PoolGeometry unpack(at::IntArrayRef sizes, const std::vector<int64_t>& v) {
    return pool_geometry(sizes, {v[0], v[1], v[2]}, {v[3], v[4], v[5], v[6]});
  }
};

}  // namespace

PooledTap fused_norm_relu_pool(torch::nn::BatchNorm2dImpl& norm, const Tensor& x,
                               const PoolStride& stride, const AverageWindow& window) {
  const auto outputs = NormReluPool::apply(
      x, norm.weight, norm.bias, &norm,
      std::vector<int64_t>{stride.channels, stride.height, stride.width, window.height,
                           window.width, window.stride_height, window.stride_width});
  return {outputs[0], outputs[1]};
}

}  // namespace plateforge::ops
