#include "models/ops/group_norm_relu.h"

#include <ATen/record_function.h>
#include <torch/autograd.h>

#include <cmath>
#include <vector>

#include "models/ops/batch_norm.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// body(group, first channel, end channel), `groups` of equal size.
template <class Body>
void for_groups(size_t channels, size_t groups, const Body& body) {
  for (size_t group = 0; group < groups; ++group)
    body(channels / groups * group, channels / groups * (group + 1));
}

// Statistics of the groups of one picture [1, C, H, W], repeated for each of their channels.
Affine group_affine(const Tensor& picture, size_t groups, double eps, const Tensor& weight,
                    const Tensor& bias) {
  const auto of = channel_moments(picture);
  const auto channels = of.mean.size();
  std::vector<float> means(channels), inverse_stds(channels);
  for_groups(channels, groups, [&](size_t begin, size_t end) {
    const auto size = static_cast<double>(end - begin);
    double mean = 0, square = 0;
    for (auto c = begin; c < end; ++c) mean += of.mean[c] / size;
    for (auto c = begin; c < end; ++c) {
      const double away = of.mean[c] - mean;
      square += (of.variance[c] + away * away) / size;
    }
    for (auto c = begin; c < end; ++c) {
      means[c] = static_cast<float>(mean);
      inverse_stds[c] = static_cast<float>(1 / std::sqrt(square + eps));
    }
  });
  return make_affine(std::move(means), std::move(inverse_stds), weight, bias);
}

// norm_gradient() with the means of g and g x̂ taken over the channels of a group.
NormGradient group_gradient(const ChannelSums& sums, const Affine& affine, const Tensor& weight,
                            size_t groups, int64_t rows) {
  const auto channels = affine.mean.size();
  const auto* gamma = weight.const_data_ptr<float>();
  NormGradient result{std::vector<float>(channels), std::vector<float>(channels), {}, {}};
  for_groups(channels, groups, [&](size_t begin, size_t end) {
    double sum = 0, moment = 0;
    for (auto c = begin; c < end; ++c) {
      sum += static_cast<double>(gamma[c]) * sums.first(c);
      moment += static_cast<double>(gamma[c]) * sums.second(c);
    }
    const auto inverse = static_cast<double>(affine.inverse_std[begin]);
    const double per_value =
        -inverse / (static_cast<double>(rows) * static_cast<double>(end - begin));
    const double slope = per_value * inverse * inverse * moment;
    for (auto c = begin; c < end; ++c) {
      result.slope[c] = static_cast<float>(slope);
      result.constant[c] =
          static_cast<float>(per_value * sum - static_cast<double>(affine.mean[c]) * slope);
    }
  });
  return result;
}

// Pictures do not meet in a group norm: each is done by one thread, start to end.
template <class Body>
void for_pictures(const Tensor& x, const Body& body) {
  at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
    for (auto picture = begin; picture < end; ++picture) body(picture);
  });
}

struct TrainedGroupNorm : torch::autograd::Function<TrainedGroupNorm> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, int64_t groups, double eps) {
    RECORD_FUNCTION("plateforge::group_norm", std::vector<c10::IValue>());
    auto y = torch::empty_like(x);
    auto statistics = torch::empty({x.size(0), 2, x.size(1)});
    with_element_type(x, [&]<class T>(T*) {
      const auto* from = input<T>(x);
      auto* to = output<T>(y);
      const auto rows = x.size(2) * x.size(3), values = rows * x.size(1);
      const auto pictures = x.detach();  // other threads do not know that no graph is wanted
      for_pictures(x, [&](int64_t n) {
        const auto affine =
            group_affine(pictures.narrow(0, n, 1), static_cast<size_t>(groups), eps, weight, bias);
        statistics[n].copy_(saved_statistics(affine));
        normalize_rows<true>(from + n * values, to + n * values, rows, affine);
      });
    });
    context->save_for_backward({x, weight, bias, statistics});
    context->saved_data["groups"] = groups;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &bias = saved[2], &statistics = saved[3];
    const auto groups = static_cast<size_t>(context->saved_data["groups"].toInt());
    const auto dy = gradient_like(gradients[0], x.scalar_type());
    auto dx = torch::empty_like(x);
    auto of_picture = torch::empty({2, x.size(0), x.size(1)});  // gradients of weight and bias
    with_element_type(x, [&]<class T>(T*) {
      const auto rows = x.size(2) * x.size(3), channels = x.size(1);
      auto* to = output<T>(dx);
      auto* dweight = output<float>(of_picture);
      auto* dbias = dweight + x.size(0) * channels;
      for_pictures(x, [&](int64_t n) {
        const auto first = n * rows * channels;
        const auto *in = input<T>(x) + first, *incoming = input<T>(dy) + first;
        const auto affine = restored_affine(statistics[n], weight, bias);
        const auto add = [&](int64_t begin, int64_t end, ChannelSums& sums) {
          add_gradient_rows<true>(in + begin * channels, incoming + begin * channels, end - begin,
                                  affine, sums);
        };
        ChannelSums sums(channels);
        folding(add)(0, rows, sums);
        write_gradient_rows<true>(in, incoming, to + first, rows, affine,
                                  group_gradient(sums, affine, weight, groups, rows));
        for (int64_t c = 0; c < channels; ++c) {
          const auto channel = static_cast<size_t>(c);
          dweight[n * channels + c] = static_cast<float>(
              sums.second(channel) * static_cast<double>(affine.inverse_std[channel]));
          dbias[n * channels + c] = static_cast<float>(sums.first(channel));
        }
      });
    });
    const auto sums = of_picture.sum(1);
    return {dx, sums[0], sums[1], Tensor(), Tensor()};
  }
};

}  // namespace

Tensor fused_group_norm_relu(torch::nn::GroupNormImpl& norm, const Tensor& x) {
  return TrainedGroupNorm::apply(x, norm.weight, norm.bias, norm.options.num_groups(),
                                 norm.options.eps());
}

}  // namespace plateforge::ops
