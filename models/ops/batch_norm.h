#pragma once

#include <torch/nn/modules/batchnorm.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/ops/rows.h"

// Normalisation of channels in parts, for the fused kernels that end in it: what the statistics
// give, and what the gradient of the input needs. Letters: x input, y = x scale + offset output, g
// = dy; with a ReLU after it (Relu), y is what the ReLU makes of that and g = dy where y > 0.
namespace plateforge::ops {

// Two sums per channel. Float while fold() is called every few hundred rows, double beyond.
class ChannelSums {
 public:
  explicit ChannelSums(int64_t channels)
      : channels_(static_cast<size_t>(channels)),
        near_(2 * channels_, 0.F),
        far_(2 * channels_, 0.0) {}

  float* first() { return near_.data(); }
  float* second() { return near_.data() + channels_; }
  void fold();
  void add(const ChannelSums& other);  // both folded
  double first(size_t channel) const { return far_[channel]; }
  double second(size_t channel) const { return far_[channels_ + channel]; }

 private:
  size_t channels_;
  std::vector<float> near_;
  std::vector<double> far_;
};

// add(begin, end, sums) adds one chunk of `count` rows or pictures and folds.
template <class Add>
ChannelSums sum_chunks(int64_t count, int64_t channels, const Add& add) {
  std::vector<ChannelSums> partial(kChunks, ChannelSums(channels));
  for_chunks(count, [&](int64_t chunk, int64_t begin, int64_t end) {
    add(begin, end, partial[static_cast<size_t>(chunk)]);
  });
  ChannelSums total(channels);
  for (const auto& sums : partial) total.add(sums);
  return total;
}

// add for sum_chunks() over single rows: cut into stretches short enough for float sums.
template <class Add>
auto folding(const Add& add) {
  return [&add](int64_t begin, int64_t end, ChannelSums& sums) {
    constexpr int64_t kStretch = 256;
    for (int64_t from = begin; from < end; from += kStretch) {
      add(from, std::min(end, from + kStretch), sums);
      sums.fold();
    }
  };
}

// Calls body<Rows>(row) for groups of four rows, then for what is left one by one. Four rows are
// added up before they meet the sums: a row alone would wait for the sums of the one before.
template <class Body>
void for_row_groups(int64_t begin, int64_t end, const Body& body) {
  constexpr int64_t kGroup = 4;
  int64_t row = begin;
  for (; row + kGroup <= end; row += kGroup) body.template operator()<kGroup>(row);
  for (; row < end; ++row) body.template operator()<1>(row);
}

// Of each channel of x [N, C, H, W], float or bfloat16 channels_last; the variance is biased.
struct Moments {
  std::vector<double> mean, variance;
};
Moments channel_moments(const at::Tensor& x);

struct Affine {
  std::vector<float> mean, inverse_std, scale, offset;
};

// From the statistics of each channel and the layer's weight and bias [C].
Affine make_affine(std::vector<float> mean, std::vector<float> inverse_std,
                   const at::Tensor& weight, const at::Tensor& bias);

// Affine map of a batch x [N, C, H, W], float or bfloat16 channels_last; updates the running
// statistics like BatchNorm2d.
Affine batch_affine(torch::nn::BatchNorm2dImpl& norm, const at::Tensor& x);

// The part of it that a backward pass cannot read from the layer, [2, C], and the way back.
at::Tensor saved_statistics(const Affine& affine);
Affine restored_affine(const at::Tensor& statistics, const at::Tensor& weight,
                       const at::Tensor& bias);

// dx = scale (g - mean(g) - x̂ mean(g x̂)) = scale g + slope x + constant.
struct NormGradient {
  std::vector<float> slope, constant;
  at::Tensor dweight, dbias;  // sum of g x̂, sum of g
};

// From the sums of g and of g (x - mean) over all rows. Channels that share their statistics,
// `size` neighbours each, share the means of scale g and scale g x̂ too.
NormGradient norm_gradient(const ChannelSums& sums, const Affine& affine, int64_t rows,
                           size_t size = 1);

template <bool Relu>
bool passes(float value, float scale, float offset) {
  return !Relu || std::fma(value, scale, offset) > 0.F;
}

// Rows of the backward pass. Functions of their own because g++ believes __restrict of parameters
// only.
template <bool Relu, int64_t Rows, class T, class G>
void add_gradient_row(const T* __restrict x, const G* __restrict dy, int64_t channels,
                      const float* __restrict mean, const float* __restrict scale,
                      const float* __restrict offset, float* __restrict sum,
                      float* __restrict moment) {
  for (int64_t c = 0; c < channels; ++c) {
    float total = 0, moments = 0;
#pragma GCC unroll 4
    for (int64_t row = 0; row < Rows; ++row) {
      const float value = load(x[row * channels + c]), incoming = load(dy[row * channels + c]);
      const float g = passes<Relu>(value, scale[c], offset[c]) ? incoming : 0.F;
      total += g;
      moments += g * (value - mean[c]);
    }
    sum[c] += total;
    moment[c] += moments;
  }
}

template <bool Relu, class T, class G>
void write_gradient_row(const T* __restrict x, const G* __restrict dy, T* __restrict dx,
                        int64_t channels, const float* __restrict scale,
                        const float* __restrict offset, const float* __restrict slope,
                        const float* __restrict constant) {
  for (int64_t c = 0; c < channels; ++c) {
    const float value = load(x[c]), incoming = load(dy[c]);
    const float g = passes<Relu>(value, scale[c], offset[c]) ? incoming : 0.F;
    store(dx[c], std::fma(scale[c], g, std::fma(value, slope[c], constant[c])));
  }
}

// The loops of the backward pass over `rows` rows of C channels; G is float or the type of x.
template <bool Relu = true, class T, class G>
void add_gradient_rows(const T* x, const G* dy, int64_t rows, const Affine& affine,
                       ChannelSums& sums) {
  const auto channels = static_cast<int64_t>(affine.mean.size());
  for_row_groups(0, rows, [&]<int64_t Rows>(int64_t row) {
    add_gradient_row<Relu, Rows>(x + row * channels, dy + row * channels, channels,
                                 affine.mean.data(), affine.scale.data(), affine.offset.data(),
                                 sums.first(), sums.second());
  });
}

template <bool Relu = true, class T, class G>
void write_gradient_rows(const T* x, const G* dy, T* dx, int64_t rows, const Affine& affine,
                         const NormGradient& gradients) {
  const auto channels = static_cast<int64_t>(affine.mean.size());
  for (int64_t row = 0; row < rows; ++row)
    write_gradient_row<Relu>(x + row * channels, dy + row * channels, dx + row * channels, channels,
                             affine.scale.data(), affine.offset.data(), gradients.slope.data(),
                             gradients.constant.data());
}

// y of `rows` rows.
template <bool Relu = true, class T, class Y>
void normalize_rows(const T* x, Y* y, int64_t rows, const Affine& affine) {
  const auto channels = static_cast<int64_t>(affine.mean.size());
  const float* __restrict scale = affine.scale.data();
  const float* __restrict offset = affine.offset.data();
  for (int64_t row = 0; row < rows; ++row) {
    const T* __restrict in = x + row * channels;
    Y* __restrict out = y + row * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const float value = std::fma(load(in[c]), scale[c], offset[c]);
      store(out[c], Relu && value < 0.F ? 0.F : value);  // keeps NaN
    }
  }
}

}  // namespace plateforge::ops
