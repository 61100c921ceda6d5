#include "models/ops/batch_norm_relu.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/ops/rows.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Two sums per channel over all rows: float within kFoldRows, double beyond.
// add(row index, sum1, sum2) adds one row to the float sums.
constexpr int64_t kFoldRows = 256;

struct ChannelSums {
  std::vector<double> first, second;
};

template <class AddRow>
ChannelSums sum_rows(int64_t rows, int64_t channels, const AddRow& add) {
  const auto width = static_cast<size_t>(channels);
  std::vector<double> partial(static_cast<size_t>(kChunks) * 2 * width, 0.0);
  for_chunks(rows, [&](int64_t chunk, int64_t begin, int64_t end) {
    auto* total = partial.data() + static_cast<size_t>(chunk) * 2 * width;
    std::vector<float> sums(2 * width);
    for (int64_t from = begin; from < end; from += kFoldRows) {
      std::fill(sums.begin(), sums.end(), 0.F);
      for (int64_t row = from; row < std::min(end, from + kFoldRows); ++row)
        add(row, sums.data(), sums.data() + width);
      for (size_t i = 0; i < 2 * width; ++i) total[i] += static_cast<double>(sums[i]);
    }
  });
  ChannelSums result{std::vector<double>(width), std::vector<double>(width)};
  for (size_t chunk = 0; chunk < static_cast<size_t>(kChunks); ++chunk)
    for (size_t c = 0; c < width; ++c) {
      result.first[c] += partial[chunk * 2 * width + c];
      result.second[c] += partial[chunk * 2 * width + width + c];
    }
  return result;
}

// Per channel: y = relu(x * scale + offset).
struct Affine {
  std::vector<float> mean, inverse_std, scale, offset;
};

Affine make_affine(std::vector<float> mean, std::vector<float> inverse_std, const Tensor& weight,
                   const Tensor& bias) {
  Affine affine{std::move(mean), std::move(inverse_std), {}, {}};
  const auto* w = weight.const_data_ptr<float>();
  const auto* b = bias.const_data_ptr<float>();
  for (size_t c = 0; c < affine.mean.size(); ++c) {
    affine.scale.push_back(w[c] * affine.inverse_std[c]);
    affine.offset.push_back(b[c] - affine.mean[c] * affine.scale[c]);
  }
  return affine;
}

// Mean and biased variance of each channel. Sums are taken of x minus the first row, so that a
// large mean does not cancel the variance away.
template <class T>
void statistics(const T* x, int64_t rows, int64_t channels, std::vector<double>& mean,
                std::vector<double>& variance) {
  std::vector<float> shift;
  for (int64_t c = 0; c < channels; ++c) shift.push_back(load(x[c]));
  const auto* origin = shift.data();
  const auto sums = sum_rows(rows, channels, [=](int64_t row, float* sum, float* squares) {
    const T* in = x + row * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const float d = load(in[c]) - origin[c];
      sum[c] += d;
      squares[c] += d * d;
    }
  });
  const auto count = static_cast<double>(rows);
  for (size_t c = 0; c < shift.size(); ++c) {
    const double moved = sums.first[c] / count;
    mean.push_back(static_cast<double>(shift[c]) + moved);
    variance.push_back(std::max(0.0, sums.second[c] / count - moved * moved));
  }
}

template <class T>
void normalize_rows(const T* x, T* y, int64_t rows, int64_t channels, const Affine& affine) {
  for_chunks(rows, [&](int64_t, int64_t begin, int64_t end) {
    const float* __restrict scale = affine.scale.data();
    const float* __restrict offset = affine.offset.data();
    for (int64_t row = begin; row < end; ++row) {
      const T* __restrict in = x + row * channels;
      T* __restrict out = y + row * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const float value = std::fma(load(in[c]), scale[c], offset[c]);
        store(out[c], value < 0.F ? 0.F : value);  // keeps NaN
      }
    }
  });
}

// With g = dy where y > 0: dbias = sum g, dweight = sum g x̂, and
// dx = scale (g - mean(g) - x̂ mean(g x̂)), written as scale g + slope x + constant.
template <class T>
void differentiate(const T* x, const T* dy, T* dx, int64_t rows, int64_t channels,
                   const Affine& affine, float* dweight, float* dbias) {
  const float* __restrict mean = affine.mean.data();
  const float* __restrict scale = affine.scale.data();
  const float* __restrict offset = affine.offset.data();
  const auto sums =
      sum_rows(rows, channels, [=](int64_t row, float* __restrict sum, float* __restrict moment) {
        const T* __restrict in = x + row * channels;
        const T* __restrict gradient = dy + row * channels;
        for (int64_t c = 0; c < channels; ++c) {
          const float value = load(in[c]);
          const float g = std::fma(value, scale[c], offset[c]) > 0.F ? load(gradient[c]) : 0.F;
          sum[c] += g;
          moment[c] += g * (value - mean[c]);
        }
      });
  std::vector<float> slopes, constants;
  for (size_t c = 0; c < affine.mean.size(); ++c) {
    const auto inverse = static_cast<double>(affine.inverse_std[c]);
    const auto s = static_cast<double>(affine.scale[c]);
    const double slope = -s * inverse * inverse * sums.second[c] / static_cast<double>(rows);
    slopes.push_back(static_cast<float>(slope));
    constants.push_back(static_cast<float>(-s * sums.first[c] / static_cast<double>(rows) -
                                           static_cast<double>(affine.mean[c]) * slope));
    dweight[c] = static_cast<float>(sums.second[c] * inverse);
    dbias[c] = static_cast<float>(sums.first[c]);
  }
  for_chunks(rows, [&](int64_t, int64_t begin, int64_t end) {
    const float* __restrict slope = slopes.data();
    const float* __restrict constant = constants.data();
    for (int64_t row = begin; row < end; ++row) {
      const T* __restrict in = x + row * channels;
      const T* __restrict gradient = dy + row * channels;
      T* __restrict out = dx + row * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const float value = load(in[c]);
        const float g = std::fma(value, scale[c], offset[c]) > 0.F ? load(gradient[c]) : 0.F;
        store(out[c], std::fma(scale[c], g, std::fma(value, slope[c], constant[c])));
      }
    }
  });
}

void update_running(torch::nn::BatchNorm2dImpl& norm, const std::vector<double>& mean,
                    const std::vector<double>& variance, int64_t rows) {
  const double momentum = norm.options.momentum().value();
  auto* running_mean = norm.running_mean.mutable_data_ptr<float>();
  auto* running_var = norm.running_var.mutable_data_ptr<float>();
  const double unbiased =
      rows > 1 ? static_cast<double>(rows) / static_cast<double>(rows - 1) : 1.0;
  const auto blend = [momentum](float& running, double value) {
    running = static_cast<float>((1 - momentum) * static_cast<double>(running) + momentum * value);
  };
  for (size_t c = 0; c < mean.size(); ++c) {
    blend(running_mean[c], mean[c]);
    blend(running_var[c], variance[c] * unbiased);
  }
  norm.num_batches_tracked.add_(1);
}

Tensor to_tensor(const std::vector<float>& values) {
  auto tensor = torch::empty({static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.mutable_data_ptr<float>());
  return tensor;
}
std::vector<float> to_vector(const Tensor& tensor) {
  const auto* values = tensor.const_data_ptr<float>();
  return {values, values + tensor.numel()};
}

struct BatchNormRelu : torch::autograd::Function<BatchNormRelu> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, torch::nn::BatchNorm2dImpl* norm) {
    RECORD_FUNCTION("plateforge::batch_norm_relu", std::vector<c10::IValue>());
    const auto channels = x.size(1), rows = x.numel() / channels;
    auto y = torch::empty_like(x);
    std::vector<double> mean, variance;
    with_element_type(
        x, [&]<class T>(T*) { statistics(input<T>(x), rows, channels, mean, variance); });
    std::vector<float> inverse_std;
    for (const double value : variance)
      inverse_std.push_back(static_cast<float>(1 / std::sqrt(value + norm->options.eps())));
    const auto affine = make_affine({mean.begin(), mean.end()}, inverse_std, weight, bias);
    with_element_type(
        x, [&]<class T>(T*) { normalize_rows(input<T>(x), output<T>(y), rows, channels, affine); });
    update_running(*norm, mean, variance, rows);
    context->save_for_backward({x, weight, bias, to_tensor(affine.mean), to_tensor(inverse_std)});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto& x = saved[0];
    const auto channels = x.size(1), rows = x.numel() / channels;
    const auto affine = make_affine(to_vector(saved[3]), to_vector(saved[4]), saved[1], saved[2]);
    const auto dy = gradient_like(gradients[0], x.scalar_type());
    auto dx = torch::empty_like(x), dweight = torch::empty({channels}),
         dbias = torch::empty({channels});
    with_element_type(x, [&]<class T>(T*) {
      differentiate(input<T>(x), input<T>(dy), output<T>(dx), rows, channels, affine,
                    dweight.mutable_data_ptr<float>(), dbias.mutable_data_ptr<float>());
    });
    return {dx, dweight, dbias, Tensor()};
  }
};

}  // namespace

Tensor fused_batch_norm_relu(torch::nn::BatchNorm2dImpl& norm, const Tensor& x) {
  return BatchNormRelu::apply(x, norm.weight, norm.bias, &norm);
}

}  // namespace plateforge::ops
