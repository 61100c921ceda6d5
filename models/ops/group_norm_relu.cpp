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

// Statistics of groups of `size` channels of one picture [1, C, H, W], repeated for each of them.
Affine group_affine(const Tensor& picture, size_t size, double eps, const Tensor& weight,
                    const Tensor& bias) {
  const auto of = channel_moments(picture);
  const auto channels = of.mean.size();
  std::vector<float> means(channels), inverse_stds(channels);
  for (size_t begin = 0; begin < channels; begin += size) {
    const auto end = begin + size;
    const auto share = 1 / static_cast<double>(size);
    double mean = 0, variance = 0;
    for (auto c = begin; c < end; ++c) mean += share * of.mean[c];
    for (auto c = begin; c < end; ++c) {
      const double away = of.mean[c] - mean;
      variance += share * (of.variance[c] + away * away);
    }
    for (auto c = begin; c < end; ++c) {
      means[c] = static_cast<float>(mean);
      inverse_stds[c] = static_cast<float>(1 / std::sqrt(variance + eps));
    }
  }
  return make_affine(std::move(means), std::move(inverse_stds), weight, bias);
}

// Pictures do not meet in a group norm: each is done by one thread, start to end.
template <class Body>
void for_pictures(const Tensor& x, const Body& body) {
  at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
    for (auto picture = begin; picture < end; ++picture) body(picture);
  });
}

size_t group_size(const Tensor& x, int64_t groups) {
  return static_cast<size_t>(x.size(1) / groups);
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
            group_affine(pictures.narrow(0, n, 1), group_size(x, groups), eps, weight, bias);
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
    const auto size = group_size(x, context->saved_data["groups"].toInt());
    const auto dy = gradient_like(gradients[0], x.scalar_type());
    auto dx = torch::empty_like(x);
    std::vector<NormGradient> of_picture(static_cast<size_t>(x.size(0)));
    with_element_type(x, [&]<class T>(T*) {
      const auto rows = x.size(2) * x.size(3), channels = x.size(1);
      auto* to = output<T>(dx);
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
        auto& gradient = of_picture[static_cast<size_t>(n)];
        gradient = norm_gradient(sums, affine, rows, size);
        write_gradient_rows<true>(in, incoming, to + first, rows, affine, gradient);
      });
    });
    auto dweight = torch::zeros_like(weight), dbias = torch::zeros_like(bias);
    for (const auto& gradient : of_picture) dweight += gradient.dweight, dbias += gradient.dbias;
    return {dx, dweight, dbias, Tensor(), Tensor()};
  }
};

}  // namespace

Tensor fused_group_norm_relu(torch::nn::GroupNormImpl& norm, const Tensor& x) {
  return TrainedGroupNorm::apply(x, norm.weight, norm.bias, norm.options.num_groups(),
                                 norm.options.eps());
}

}  // namespace plateforge::ops
