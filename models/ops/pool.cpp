#include "models/ops/pool.h"

#include <ATen/record_function.h>
#include <torch/torch.h>

#include <algorithm>
#include <vector>

#include "models/ops/rows.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kWindow = 3;

struct Geometry {
  int64_t batch, channels, height, width;     // x
  int64_t kept, pooled_height, pooled_width;  // maxima
  int64_t tap_height, tap_width;              // averages
  PoolStride stride;
  AverageWindow window;

  int64_t pixels() const { return height * width; }
  int64_t pooled_pixels() const { return pooled_height * pooled_width; }
  int64_t tap_pixels() const { return tap_height * tap_width; }
};

Geometry geometry(at::IntArrayRef x, const PoolStride& stride, const AverageWindow& window) {
  return {x[0],
          x[1],
          x[2],
          x[3],
          (x[1] - 1) / stride.channels + 1,
          (x[2] - kWindow) / stride.height + 1,
          (x[3] - kWindow) / stride.width + 1,
          (x[2] - window.height) / window.stride_height + 1,
          (x[3] - window.width) / window.stride_width + 1,
          stride,
          window};
}

// Outputs of a sliding window that cover input position `at`: [first, last).
struct Cover {
  int64_t first, last;
};
Cover covering(int64_t at, int64_t window, int64_t stride, int64_t outputs) {
  const auto first = at < window ? 0 : (at - window) / stride + 1;
  return {first, std::min(at / stride + 1, outputs)};
}

// One picture, one job: pictures are independent, so any split among threads gives the same bits.
template <class Body>
void for_pictures(int64_t batch, const Body& body) {
  at::parallel_for(0, batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) body(n);
  });
}

// The kept channels of one picture as floats, contiguous.
template <class T>
void gather_kept(const T* picture, const Geometry& g, float* kept) {
  const auto step = g.stride.channels;
  for (int64_t pixel = 0; pixel < g.pixels(); ++pixel) {
    const T* in = picture + pixel * g.channels;
    float* out = kept + pixel * g.kept;
    if (step == 1)
      for (int64_t c = 0; c < g.kept; ++c) out[c] = load(in[c]);
    else
      for (int64_t c = 0; c < g.kept; ++c) out[c] = load(in[c * step]);
  }
}

template <class T>
void max_picture(const float* kept, const Geometry& g, T* pooled, uint8_t* places) {
  std::vector<float> best_row(static_cast<size_t>(g.kept));
  std::vector<int32_t> place_row(static_cast<size_t>(g.kept));
  float* __restrict best = best_row.data();
  int32_t* __restrict place = place_row.data();
  for (int64_t oh = 0; oh < g.pooled_height; ++oh)
    for (int64_t ow = 0; ow < g.pooled_width; ++ow) {
      const float* corner = kept + (oh * g.stride.height * g.width + ow * g.stride.width) * g.kept;
      std::copy(corner, corner + g.kept, best);
      std::fill(place, place + g.kept, 0);
      for (int32_t k = 1; k < kWindow * kWindow; ++k) {
        const float* __restrict in = corner + (k / kWindow * g.width + k % kWindow) * g.kept;
        for (int64_t c = 0; c < g.kept; ++c) {
          const bool larger = in[c] > best[c];
          best[c] = larger ? in[c] : best[c];
          place[c] = larger ? k : place[c];
        }
      }
      const auto at = (oh * g.pooled_width + ow) * g.kept;
      for (int64_t c = 0; c < g.kept; ++c) store(pooled[at + c], best[c]);
      for (int64_t c = 0; c < g.kept; ++c) places[at + c] = static_cast<uint8_t>(place[c]);
    }
}

template <class T>
void average_picture(const T* picture, const Geometry& g, T* tap) {
  const float share = 1.F / static_cast<float>(g.window.height * g.window.width);
  std::vector<float> sum_row(static_cast<size_t>(g.channels));
  float* __restrict sum = sum_row.data();
  for (int64_t oh = 0; oh < g.tap_height; ++oh)
    for (int64_t ow = 0; ow < g.tap_width; ++ow) {
      std::fill(sum, sum + g.channels, 0.F);
      for (int64_t h = 0; h < g.window.height; ++h)
        for (int64_t w = 0; w < g.window.width; ++w) {
          const T* __restrict in = picture + ((oh * g.window.stride_height + h) * g.width +
                                              ow * g.window.stride_width + w) *
                                                 g.channels;
          for (int64_t c = 0; c < g.channels; ++c) sum[c] += load(in[c]);
        }
      T* __restrict out = tap + (oh * g.tap_width + ow) * g.channels;
      for (int64_t c = 0; c < g.channels; ++c) store(out[c], sum[c] * share);
    }
}

// Gradient of one input pixel, gathered from the outputs that cover it.
template <class T>
class PixelGradient {
 public:
  PixelGradient(const Geometry& g, const T* dpooled, const uint8_t* places, const T* dtap)
      : g_(g),
        dpooled_(dpooled),
        places_(places),
        dtap_(dtap),
        maxima_(static_cast<size_t>(g.kept)),
        all_(static_cast<size_t>(g.channels)),
        share_(1.F / static_cast<float>(g.window.height * g.window.width)) {}

  void write(int64_t h, int64_t w, T* out) {
    gather_tap(h, w);
    gather_maxima(h, w);
    float* __restrict all = all_.data();
    const float* __restrict maxima = maxima_.data();
    const auto step = g_.stride.channels;
    if (step == 1)
      for (int64_t c = 0; c < g_.kept; ++c) all[c] += maxima[c];
    else
      for (int64_t c = 0; c < g_.kept; ++c) all[c * step] += maxima[c];
    for (int64_t c = 0; c < g_.channels; ++c) store(out[c], all[c]);
  }

 private:
  void gather_tap(int64_t h, int64_t w) {
    float* __restrict all = all_.data();
    std::fill(all_.begin(), all_.end(), 0.F);
    const auto& window = g_.window;
    const auto rows = covering(h, window.height, window.stride_height, g_.tap_height);
    const auto columns = covering(w, window.width, window.stride_width, g_.tap_width);
    for (auto oh = rows.first; oh < rows.last; ++oh)
      for (auto ow = columns.first; ow < columns.last; ++ow) {
        const T* __restrict in = dtap_ + (oh * g_.tap_width + ow) * g_.channels;
        for (int64_t c = 0; c < g_.channels; ++c) all[c] += load(in[c]) * share_;
      }
  }

  void gather_maxima(int64_t h, int64_t w) {
    float* __restrict sum = maxima_.data();
    std::fill(maxima_.begin(), maxima_.end(), 0.F);
    const auto rows = covering(h, kWindow, g_.stride.height, g_.pooled_height);
    const auto columns = covering(w, kWindow, g_.stride.width, g_.pooled_width);
    for (auto oh = rows.first; oh < rows.last; ++oh)
      for (auto ow = columns.first; ow < columns.last; ++ow) {
        const auto here = (h - oh * g_.stride.height) * kWindow + (w - ow * g_.stride.width);
        const auto at = (oh * g_.pooled_width + ow) * g_.kept;
        const T* __restrict in = dpooled_ + at;
        const uint8_t* __restrict place = places_ + at;
        for (int64_t c = 0; c < g_.kept; ++c)
          sum[c] += static_cast<int64_t>(place[c]) == here ? load(in[c]) : 0.F;
      }
  }

  const Geometry& g_;
  const T* dpooled_;
  const uint8_t* places_;
  const T* dtap_;
  std::vector<float> maxima_, all_;
  float share_;
};

struct PoolWithTap : torch::autograd::Function<PoolWithTap> {
  static variable_list forward(AutogradContext* context, const Tensor& x,
                               std::vector<int64_t> numbers) {
    RECORD_FUNCTION("plateforge::pool_with_tap", std::vector<c10::IValue>());
    const auto g = unpack(x.sizes(), numbers);
    const auto format = x.options().memory_format(at::MemoryFormat::ChannelsLast);
    auto pooled = torch::empty({g.batch, g.kept, g.pooled_height, g.pooled_width}, format);
    auto tap = torch::empty({g.batch, g.channels, g.tap_height, g.tap_width}, format);
    auto places = torch::empty({g.batch, g.pooled_pixels() * g.kept}, torch::kByte);
    with_element_type(x, [&]<class T>(T*) {
      for_pictures(g.batch, [&](int64_t n) {
        std::vector<float> kept(static_cast<size_t>(g.pixels() * g.kept));
        const T* picture = input<T>(x) + n * g.pixels() * g.channels;
        gather_kept(picture, g, kept.data());
        max_picture(kept.data(), g, output<T>(pooled) + n * g.pooled_pixels() * g.kept,
                    output<uint8_t>(places) + n * g.pooled_pixels() * g.kept);
        average_picture(picture, g, output<T>(tap) + n * g.tap_pixels() * g.channels);
      });
    });
    context->saved_data["x"] = x.sizes().vec();
    context->saved_data["numbers"] = numbers;
    context->save_for_backward({places});
    return {pooled, tap};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto sizes = context->saved_data["x"].toIntVector();
    const auto g = unpack(sizes, context->saved_data["numbers"].toIntVector());
    const auto places = context->get_saved_variables()[0];
    const auto dpooled = gradient_like(gradients[0], gradients[0].scalar_type());
    const auto dtap = gradient_like(gradients[1], dpooled.scalar_type());
    auto dx = torch::empty(sizes, dpooled.options().memory_format(at::MemoryFormat::ChannelsLast));
    with_element_type(dx, [&]<class T>(T*) {
      for_pictures(g.batch, [&](int64_t n) {
        PixelGradient<T> pixel(g, input<T>(dpooled) + n * g.pooled_pixels() * g.kept,
                               input<uint8_t>(places) + n * g.pooled_pixels() * g.kept,
                               input<T>(dtap) + n * g.tap_pixels() * g.channels);
        T* picture = output<T>(dx) + n * g.pixels() * g.channels;
        for (int64_t h = 0; h < g.height; ++h)
          for (int64_t w = 0; w < g.width; ++w)
            pixel.write(h, w, picture + (h * g.width + w) * g.channels);
      });
    });
    return {dx, Tensor()};
  }

  static Geometry unpack(at::IntArrayRef sizes, const std::vector<int64_t>& v) {
    return geometry(sizes, {v[0], v[1], v[2]}, {v[3], v[4], v[5], v[6]});
  }
};

}  // namespace

PooledTap fused_pool_with_tap(const at::Tensor& x, const PoolStride& stride,
                              const AverageWindow& window) {
  const auto outputs = PoolWithTap::apply(
      x, std::vector<int64_t>{stride.channels, stride.height, stride.width, window.height,
                              window.width, window.stride_height, window.stride_width});
  return {outputs[0], outputs[1]};
}

}  // namespace plateforge::ops
