#include "models/ops/batch_norm.h"

#include <torch/nn/modules/batchnorm.h>

#include <algorithm>
#include <cmath>

namespace plateforge::ops {
namespace {

using torch::Tensor;

// See for_row_groups().
template <int64_t Rows, class T>
void add_row(const T* __restrict x, int64_t channels, const float* __restrict origin,
             float* __restrict sum, float* __restrict squares) {
  for (int64_t c = 0; c < channels; ++c) {
    float total = 0, total_squares = 0;
#pragma GCC unroll 4
    for (int64_t row = 0; row < Rows; ++row) {
      const float d = load(x[row * channels + c]) - origin[c];
      total += d;
      total_squares += d * d;
    }
    sum[c] += total;
    squares[c] += total_squares;
  }
}

// Sums are taken of x minus the first row, so that a large mean does not cancel the variance away.
template <class T>
Moments moments(const T* x, int64_t rows, int64_t channels) {
  std::vector<float> origin;
  for (int64_t c = 0; c < channels; ++c) origin.push_back(load(x[c]));
  const auto add = [&](int64_t begin, int64_t end, ChannelSums& sums) {
    for_row_groups(begin, end, [&]<int64_t Rows>(int64_t row) {
      add_row<Rows>(x + row * channels, channels, origin.data(), sums.first(), sums.second());
    });
  };
  const auto sums = sum_chunks(rows, channels, folding(add));
  Moments result;
  const auto count = static_cast<double>(rows);
  for (size_t c = 0; c < origin.size(); ++c) {
    const double moved = sums.first(c) / count;
    result.mean.push_back(static_cast<double>(origin[c]) + moved);
    result.variance.push_back(std::max(0.0, sums.second(c) / count - moved * moved));
  }
  return result;
}

void update_running(torch::nn::BatchNorm2dImpl& norm, const Moments& batch, int64_t rows) {
  const double momentum = norm.options.momentum().value();
  auto* running_mean = norm.running_mean.mutable_data_ptr<float>();
  auto* running_var = norm.running_var.mutable_data_ptr<float>();
  const double unbiased =
      rows > 1 ? static_cast<double>(rows) / static_cast<double>(rows - 1) : 1.0;
  const auto blend = [momentum](float& running, double value) {
    running = static_cast<float>((1 - momentum) * static_cast<double>(running) + momentum * value);
  };
  for (size_t c = 0; c < batch.mean.size(); ++c) {
    blend(running_mean[c], batch.mean[c]);
    blend(running_var[c], batch.variance[c] * unbiased);
  }
  norm.num_batches_tracked.add_(1);
}

}  // namespace

void ChannelSums::fold() {
  for (size_t i = 0; i < near_.size(); ++i) far_[i] += static_cast<double>(near_[i]);
  std::fill(near_.begin(), near_.end(), 0.F);
}

void ChannelSums::add(const ChannelSums& other) {
  for (size_t i = 0; i < far_.size(); ++i) far_[i] += other.far_[i];
}

Moments channel_moments(const Tensor& x) {
  Moments result;
  with_element_type(
      x, [&]<class T>(T*) { result = moments(input<T>(x), x.numel() / x.size(1), x.size(1)); });
  return result;
}

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

Affine batch_affine(torch::nn::BatchNorm2dImpl& norm, const Tensor& x) {
  const auto batch = channel_moments(x);
  update_running(norm, batch, x.numel() / x.size(1));
  std::vector<float> inverse_std;
  for (const double variance : batch.variance)
    inverse_std.push_back(static_cast<float>(1 / std::sqrt(variance + norm.options.eps())));
  return make_affine({batch.mean.begin(), batch.mean.end()}, std::move(inverse_std), norm.weight,
                     norm.bias);
}

Tensor saved_statistics(const Affine& affine) {
  const auto channels = affine.mean.size();
  auto saved = torch::empty({2, static_cast<int64_t>(channels)});
  auto* values = saved.mutable_data_ptr<float>();
  std::copy(affine.mean.begin(), affine.mean.end(), values);
  std::copy(affine.inverse_std.begin(), affine.inverse_std.end(), values + channels);
  return saved;
}

Affine restored_affine(const Tensor& statistics, const Tensor& weight, const Tensor& bias) {
  const auto channels = statistics.size(1);
  const auto* values = statistics.const_data_ptr<float>();
  return make_affine({values, values + channels}, {values + channels, values + 2 * channels},
                     weight, bias);
}

NormGradient norm_gradient(const ChannelSums& sums, const Affine& affine, int64_t rows,
                           size_t size) {
  const auto channels = affine.mean.size();
  NormGradient result{std::vector<float>(channels), std::vector<float>(channels),
                      torch::empty({static_cast<int64_t>(channels)}),
                      torch::empty({static_cast<int64_t>(channels)})};
  auto* dweight = result.dweight.mutable_data_ptr<float>();
  auto* dbias = result.dbias.mutable_data_ptr<float>();
  const double per_value = -1 / (static_cast<double>(rows) * static_cast<double>(size));
  for (size_t begin = 0; begin < channels; begin += size) {
    const auto inverse = static_cast<double>(affine.inverse_std[begin]);
    double sum = 0, moment = 0;
    for (auto c = begin; c < begin + size; ++c) {
      sum += static_cast<double>(affine.scale[c]) * sums.first(c);
      moment += static_cast<double>(affine.scale[c]) * sums.second(c);
    }
    const double slope = per_value * inverse * inverse * moment;
    const double constant = per_value * sum - static_cast<double>(affine.mean[begin]) * slope;
    for (auto c = begin; c < begin + size; ++c) {
      result.slope[c] = static_cast<float>(slope);
      result.constant[c] = static_cast<float>(constant);
      dweight[c] = static_cast<float>(sums.second(c) * inverse);
      dbias[c] = static_cast<float>(sums.first(c));
    }
  }
  return result;
}

}  // namespace plateforge::ops
