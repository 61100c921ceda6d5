#include "models/ops/convolution.h"

#include <torch/autograd.h>

#include <algorithm>
#include <vector>

#include "models/ops/lanes.h"
#include "models/ops/rows.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// A weight gradient is patchesᵀ dy, summed over all output pixels: [K, M] times [M, O], where K
// counts the inputs of one output (kernel height x width x channels) and O the output channels. It
// is made from tiles of kPatch x kOut sums that live in registers; a few dozen pixels at a time,
// whose patches and gradients stay in the first-level cache while all their tiles are made.
//
// Measured to beat oneDNN with the 32 registers of AVX-512; elsewhere oneDNN does it.
constexpr bool kPays = kRegisters == 32;
constexpr int64_t kPatch = kRegisters / 4, kVectors = 2, kOut = kVectors * kLanes, kPixels = 32;

// The sums of all tiles must stay in the second-level cache; beyond, oneDNN is as fast.
constexpr int64_t kMostSums = 65536;

constexpr int64_t kGradientChunks = 16;

struct Shape {
  int64_t batch, in, height, width, out, out_height, out_width, kernel_height, kernel_width;
  int64_t pad_height, pad_width;

  int64_t pixels() const { return batch * out_height * out_width; }
  int64_t patch() const { return kernel_height * kernel_width * in; }
  int64_t patch_padded() const { return (patch() + kPatch - 1) / kPatch * kPatch; }
  int64_t sums() const { return patch_padded() * out; }
};

Shape shape(const Tensor& x, const Tensor& weight, at::IntArrayRef padding) {
  return {x.size(0),
          x.size(1),
          x.size(2),
          x.size(3),
          weight.size(0),
          x.size(2) + 2 * padding[0] - weight.size(2) + 1,
          x.size(3) + 2 * padding[1] - weight.size(3) + 1,
          weight.size(2),
          weight.size(3),
          padding[0],
          padding[1]};
}

// sums [kPatch, kOut] (rows `stride` apart) += patchesᵀ dy over `count` pixels.
void add_tile(const float* __restrict patches, int64_t patch_stride, const float* __restrict dy,
              int64_t count, float* __restrict sums, int64_t stride) {
  Vector tile[kPatch][kVectors];
#pragma GCC unroll 8
  for (int64_t i = 0; i < kPatch; ++i)
#pragma GCC unroll 2
    for (int64_t v = 0; v < kVectors; ++v) tile[i][v] = vector_at(sums + i * stride + v * kLanes);
  for (int64_t m = 0; m < count; ++m) {
    const float* patch = patches + m * patch_stride;
#pragma GCC unroll 2
    for (int64_t v = 0; v < kVectors; ++v) {
      const Vector gradient = vector_at(dy + m * stride + v * kLanes);
#pragma GCC unroll 8
      for (int64_t i = 0; i < kPatch; ++i) tile[i][v] += patch[i] * gradient;
    }
  }
#pragma GCC unroll 8
  for (int64_t i = 0; i < kPatch; ++i)
#pragma GCC unroll 2
    for (int64_t v = 0; v < kVectors; ++v) vector_at(sums + i * stride + v * kLanes) = tile[i][v];
}

// Weight sums [K, O] and bias sums [O] of a stretch of output pixels.
class StretchGradient {
 public:
  StretchGradient(const Shape& s, const float* x, const float* dy)
      : s_(s), x_(x), dy_(dy), patches_(static_cast<size_t>(kPixels * s.patch_padded())) {}

  void add(int64_t begin, int64_t end, float* weight, float* bias) {
    for (auto from = begin; from < end; from += kPixels) {
      const auto count = std::min(kPixels, end - from);
      const float* dy = dy_ + from * s_.out;
      for (int64_t i = 0; i < count; ++i) {
        copy_patch(from + i, patches_.data() + i * s_.patch_padded());
        add_row(dy + i * s_.out, bias);
      }
      for (int64_t o = 0; o < s_.out; o += kOut)
        for (int64_t k = 0; k < s_.patch(); k += kPatch)
          add_tile(patches_.data() + k, s_.patch_padded(), dy + o, count, weight + k * s_.out + o,
                   s_.out);
    }
  }

 private:
  void copy_patch(int64_t pixel, float* to) const {
    const auto n = pixel / (s_.out_height * s_.out_width);
    const auto h = pixel / s_.out_width % s_.out_height - s_.pad_height;
    const auto w = pixel % s_.out_width - s_.pad_width;
    for (int64_t kh = 0; kh < s_.kernel_height; ++kh)
      for (int64_t kw = 0; kw < s_.kernel_width; ++kw, to += s_.in) {
        const bool inside = h + kh >= 0 && h + kh < s_.height && w + kw >= 0 && w + kw < s_.width;
        const float* from = x_ + ((n * s_.height + h + kh) * s_.width + w + kw) * s_.in;
        if (inside)
          std::copy(from, from + s_.in, to);
        else
          std::fill(to, to + s_.in, 0.F);
      }
  }

  void add_row(const float* __restrict row, float* __restrict bias) const {
    for (int64_t o = 0; o < s_.out; ++o) bias[o] += row[o];
  }

  const Shape& s_;
  const float *x_, *dy_;
  std::vector<float> patches_;  // what pads a patch to whole tiles stays zero
};

struct ParameterGradients {
  Tensor weight, bias;
};

// Chunks are summed in their order: the same bits for any number of threads.
ParameterGradients parameter_gradients(const Shape& s, const Tensor& x, const Tensor& dy) {
  auto partial = torch::zeros({kGradientChunks, s.sums() + s.out});
  auto* sums = partial.mutable_data_ptr<float>();
  for_chunks<kGradientChunks>(s.pixels(), [&](int64_t chunk, int64_t begin, int64_t end) {
    auto* weight = sums + chunk * (s.sums() + s.out);
    StretchGradient(s, input<float>(x), input<float>(dy))
        .add(begin, end, weight, weight + s.sums());
  });
  auto total = partial[0];
  for (int64_t chunk = 1; chunk < kGradientChunks; ++chunk) total.add_(partial[chunk]);
  const auto weight = total.narrow(0, 0, s.patch() * s.out)
                          .view({s.kernel_height, s.kernel_width, s.in, s.out})
                          .permute({3, 2, 0, 1});
  return {weight, total.narrow(0, s.sums(), s.out).clone()};
}

struct TrainedConvolution : torch::autograd::Function<TrainedConvolution> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, const std::vector<int64_t>& padding) {
    context->save_for_backward({x, weight});
    context->saved_data["padding"] = padding;
    return at::convolution(x, weight, bias, {1, 1}, padding, {1, 1}, false, {0, 0}, 1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto padding = context->saved_data["padding"].toIntVector();
    const auto dy = gradient_like(gradients[0], at::kFloat);
    Tensor dx;
    if (context->needs_input_grad(0))
      dx = std::get<0>(at::convolution_backward(dy, x, weight, at::nullopt, {1, 1}, padding, {1, 1},
                                                false, {0, 0}, 1, {true, false, false}));
    const auto parameters = parameter_gradients(shape(x, weight, padding), x, dy);
    return {dx, parameters.weight.contiguous(weight.suggest_memory_format()), parameters.bias,
            Tensor()};
  }
};

}  // namespace

bool can_fuse_convolution(const op::Conv& conv, const Tensor& x, const Tensor& weight,
                          const Tensor& bias) {
  const std::vector<int64_t> ones{1, 1};
  return kPays && x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat &&
         weight.requires_grad() && bias.defined() && conv.groups == 1 && conv.stride == ones &&
         conv.dilation == ones && weight.size(0) % kOut == 0 && weight.numel() <= kMostSums;
}

Tensor fused_convolution(const op::Conv& conv, const Tensor& x, const Tensor& weight,
                         const Tensor& bias) {
  return TrainedConvolution::apply(x, weight, bias, conv.padding);
}

}  // namespace plateforge::ops
