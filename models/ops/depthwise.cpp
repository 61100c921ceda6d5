#include "models/ops/depthwise.h"

#include <torch/autograd.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <vector>

#include "models/ops/lanes.h"
#include "models/ops/rows.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Geometry {
  int64_t batch, channels, height, width, out_height, out_width, stride, padding;

  int64_t padded_width() const { return width + 2 * padding; }
  int64_t blocks() const { return (channels + kLanes - 1) / kLanes; }  // of channels
};

// kLanes channels of one picture: as many of them as exist, from channel `first` on.
struct Block {
  int64_t picture, first, lanes;
};

Geometry geometry(const Tensor& x, int64_t kernel, int64_t stride, int64_t padding) {
  const auto out = [&](int64_t size) { return (size + 2 * padding - kernel) / stride + 1; };
  return {x.size(0),      x.size(1),      x.size(2), x.size(3),
          out(x.size(2)), out(x.size(3)), stride,    padding};
}

// Pictures and channels do not meet in a depthwise convolution: any split gives the same bits.
template <class Body>
void for_blocks(const Geometry& g, const Body& body) {
  at::parallel_for(0, g.batch * g.blocks(), 1, [&](int64_t begin, int64_t end) {
    for (auto task = begin; task < end; ++task) {
      const auto first = task % g.blocks() * kLanes;
      body(Block{task / g.blocks(), first, std::min(kLanes, g.channels - first)});
    }
  });
}

// `count` pixels of a block, `channels` values apart, to floats side by side; missing lanes are 0.
template <class T>
void gather(const T* from, int64_t channels, int64_t count, int64_t lanes, float* __restrict to) {
  for (int64_t i = 0; i < count; ++i, from += channels, to += kLanes)
    if (lanes == kLanes)
      for (int64_t lane = 0; lane < kLanes; ++lane) to[lane] = load(from[lane]);
    else
      for (int64_t lane = 0; lane < kLanes; ++lane) to[lane] = lane < lanes ? load(from[lane]) : 0;
}

template <class T>
void scatter(const float* __restrict from, int64_t channels, int64_t count, int64_t lanes, T* to) {
  for (int64_t i = 0; i < count; ++i, from += kLanes, to += channels)
    if (lanes == kLanes)
      for (int64_t lane = 0; lane < kLanes; ++lane) store(to[lane], from[lane]);
    else
      for (int64_t lane = 0; lane < lanes; ++lane) store(to[lane], from[lane]);
}

// The K padded rows of the input that one row of the output sees, moving down with it.
template <int64_t K>
class Window {
 public:
  explicit Window(const Geometry& g)
      : stride_(g.padded_width() * kLanes), values_(static_cast<size_t>(K * stride_)) {}

  float* row(int64_t padded) { return values_.data() + padded % K * stride_; }
  std::array<float*, K> rows(int64_t top) {
    std::array<float*, K> rows;
    for (int64_t k = 0; k < K; ++k) rows[static_cast<size_t>(k)] = row(top + k);
    return rows;
  }
  void clear(int64_t padded) { std::fill_n(row(padded), stride_, 0.F); }

 private:
  int64_t stride_;
  std::vector<float> values_;
};

template <int64_t K>
using Taps = std::array<float*, K>;

// sums[K * K] += what one output row adds: for each tap, its input times the output's gradient.
template <int64_t K>
void add_row(const Taps<K>& x, const float* __restrict dy, int64_t width, int64_t stride,
             Vector (&sums)[K * K]) {
  Vector tile[K * K];
#pragma GCC unroll 25
  for (int64_t tap = 0; tap < K * K; ++tap) tile[tap] = sums[tap];
  for (int64_t i = 0; i < width; ++i) {
    const Vector gradient = vector_at(dy + i * kLanes);
#pragma GCC unroll 5
    for (int64_t kh = 0; kh < K; ++kh)
#pragma GCC unroll 5
      for (int64_t kw = 0; kw < K; ++kw)
        tile[kh * K + kw] +=
            vector_at(x[static_cast<size_t>(kh)] + (i * stride + kw) * kLanes) * gradient;
  }
#pragma GCC unroll 25
  for (int64_t tap = 0; tap < K * K; ++tap) sums[tap] = tile[tap];
}

// The other way: every tap's weight times the output's gradient, added to the tap's input.
template <int64_t K>
void spread_row(const Vector (&weight)[K * K], const float* __restrict dy, int64_t width,
                int64_t stride, const Taps<K>& dx) {
  for (int64_t i = 0; i < width; ++i) {
    const Vector gradient = vector_at(dy + i * kLanes);
#pragma GCC unroll 5
    for (int64_t kh = 0; kh < K; ++kh)
#pragma GCC unroll 5
      for (int64_t kw = 0; kw < K; ++kw)
        vector_at(dx[static_cast<size_t>(kh)] + (i * stride + kw) * kLanes) +=
            weight[kh * K + kw] * gradient;
  }
}

template <int64_t K, class T>
void weight_gradient(const Geometry& g, const Block& block, const T* x, const T* dy,
                     float* __restrict out) {  // [K * K, kLanes]
  Window<K> window(g);
  std::vector<float> gradient(static_cast<size_t>(g.out_width * kLanes));
  for (int64_t row = 0; row < K; ++row) window.clear(row);
  Vector sums[K * K] = {};
  int64_t read = 0;  // padded rows in the window so far
  for (int64_t h = 0; h < g.out_height; ++h) {
    for (; read < h * g.stride + K; ++read) {
      const auto row = read - g.padding;
      if (row < 0 || row >= g.height)
        window.clear(read);
      else
        gather(x + ((block.picture * g.height + row) * g.width) * g.channels + block.first,
               g.channels, g.width, block.lanes, window.row(read) + g.padding * kLanes);
    }
    gather(dy + ((block.picture * g.out_height + h) * g.out_width) * g.channels + block.first,
           g.channels, g.out_width, block.lanes, gradient.data());
    add_row<K>(window.rows(h * g.stride), gradient.data(), g.out_width, g.stride, sums);
  }
  for (int64_t tap = 0; tap < K * K; ++tap) vector_at(out + tap * kLanes) = sums[tap];
}

template <int64_t K, class T>
void input_gradient(const Geometry& g, const Block& block, const float* weight, const T* dy,
                    T* dx) {
  Vector taps[K * K];
  for (int64_t tap = 0; tap < K * K; ++tap) taps[tap] = vector_at(weight + tap * kLanes);
  Window<K> window(g);
  std::vector<float> gradient(static_cast<size_t>(g.out_width * kLanes));
  for (int64_t row = 0; row < K; ++row) window.clear(row);
  int64_t written = 0;  // padded rows that nothing more will be added to
  const auto write_until = [&](int64_t end) {
    for (; written < end; ++written) {
      const auto row = written - g.padding;
      if (row >= 0 && row < g.height)
        scatter(window.row(written) + g.padding * kLanes, g.channels, g.width, block.lanes,
                dx + ((block.picture * g.height + row) * g.width) * g.channels + block.first);
      window.clear(written);
    }
  };
  for (int64_t h = 0; h < g.out_height; ++h) {
    write_until(h * g.stride);
    gather(dy + ((block.picture * g.out_height + h) * g.out_width) * g.channels + block.first,
           g.channels, g.out_width, block.lanes, gradient.data());
    spread_row<K>(taps, gradient.data(), g.out_width, g.stride, window.rows(h * g.stride));
  }
  write_until(g.height + g.padding);
}

template <class Body>
void with_kernel_size(const Tensor& weight, const Body& body) {
  if (weight.size(2) == 3)
    body(std::integral_constant<int64_t, 3>{});
  else
    body(std::integral_constant<int64_t, 5>{});
}

Tensor weight_gradient(const Geometry& g, const Tensor& x, const Tensor& weight, const Tensor& dy) {
  const auto size = weight[0].numel();
  auto sums = torch::empty({g.batch, g.blocks(), size, kLanes});
  with_element_type(x, [&]<class T>(T*) {
    with_kernel_size(weight, [&]<int64_t K>(std::integral_constant<int64_t, K>) {
      for_blocks(g, [&](const Block& block) {
        const auto index = block.picture * g.blocks() + block.first / kLanes;
        weight_gradient<K>(g, block, input<T>(x), input<T>(dy),
                           output<float>(sums) + index * size * kLanes);
      });
    });
  });
  return sums.sum(0)
      .transpose(1, 2)
      .reshape({-1, 1, weight.size(2), weight.size(3)})
      .narrow(0, 0, g.channels)
      .contiguous(weight.suggest_memory_format());
}

Tensor input_gradient(const Geometry& g, const Tensor& x, const Tensor& weight, const Tensor& dy) {
  const auto size = weight[0].numel();
  auto taps = torch::zeros({g.blocks() * kLanes, size});
  taps.narrow(0, 0, g.channels).copy_(weight.reshape({-1, size}));
  taps = taps.view({g.blocks(), kLanes, size}).transpose(1, 2).contiguous();
  auto dx = torch::empty_like(x);
  with_element_type(x, [&]<class T>(T*) {
    with_kernel_size(weight, [&]<int64_t K>(std::integral_constant<int64_t, K>) {
      for_blocks(g, [&](const Block& block) {
        input_gradient<K>(g, block, input<float>(taps) + block.first * size, input<T>(dy),
                          output<T>(dx));
      });
    });
  });
  return dx;
}

// What oneDNN (3.12) has no depthwise kernel for.
bool lacks_weight_gradient(int64_t kernel) { return kernel > 3; }
bool lacks_input_gradient(at::ScalarType type, int64_t stride) {
  return type == at::kBFloat16 && stride > 1;
}

struct TrainedDepthwise : torch::autograd::Function<TrainedDepthwise> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const op::Conv& conv) {
    context->save_for_backward({x, weight});
    context->saved_data["stride"] = conv.stride[0];
    context->saved_data["padding"] = conv.padding[0];
    return at::convolution(x, weight.to(x.scalar_type()), {}, conv.stride, conv.padding,
                           conv.dilation, false, {0, 0}, conv.groups);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto type = x.scalar_type();
    const auto dy = gradient_like(gradients[0], type);
    const auto g = geometry(x, weight.size(2), context->saved_data["stride"].toInt(),
                            context->saved_data["padding"].toInt());
    const bool wants_dx = context->needs_input_grad(0);
    const bool own_dx = lacks_input_gradient(type, g.stride);
    const bool own_dweight = lacks_weight_gradient(weight.size(2));
    auto [dx, dweight, dbias] = at::convolution_backward(
        dy, x, weight.to(type), at::nullopt, {g.stride, g.stride}, {g.padding, g.padding}, {1, 1},
        false, {0, 0}, x.size(1), {wants_dx && !own_dx, !own_dweight, false});
    if (wants_dx && own_dx) dx = input_gradient(g, x, weight, dy);
    if (own_dweight) dweight = weight_gradient(g, x, weight, dy);
    return {dx, dweight.to(weight.scalar_type()), Tensor()};
  }
};

}  // namespace

bool can_fuse_depthwise(const op::Conv& conv, at::ScalarType type, const Tensor& weight,
                        const Tensor& bias) {
  const auto kernel = weight.size(2);
  const auto stride = conv.stride[0], padding = conv.padding[0];
  return weight.size(1) == 1 && conv.groups == weight.size(0) && !bias.defined() &&
         weight.scalar_type() == at::kFloat && weight.requires_grad() && weight.size(3) == kernel &&
         (kernel == 3 || kernel == 5) && conv.stride[1] == stride && stride <= kernel &&
         conv.padding[1] == padding && padding < kernel &&
         conv.dilation == std::vector<int64_t>{1, 1} &&
         (lacks_weight_gradient(kernel) || lacks_input_gradient(type, stride));
}

Tensor depthwise_convolution(const op::Conv& conv, const Tensor& x, const Tensor& weight) {
  return TrainedDepthwise::apply(x, weight, conv);
}

}  // namespace plateforge::ops
