#include "compress/quantize/bias_correction.h"

#include <torch/utils.h>

#include <algorithm>

#include "compress/layer_walk.h"
#include "compress/layers.h"
#include "configs/suggest.h"

namespace plateforge {
namespace {

using torch::Tensor;

// All axes of a layer's input or output but the one that counts channels.
std::vector<int64_t> other_axes(const LayerStep& step, const Tensor& x) {
  std::vector<int64_t> axes;
  for (int64_t axis = 0; axis < x.dim(); ++axis) {
    if (axis != channel_axis(step.layer, x.dim())) axes.push_back(axis);
  }
  return axes;
}

// Mean of each channel over all batches, which may differ in size.
template <class F>
Tensor channel_means(const LayerStep& step, size_t batches, F tensor_of) {
  Tensor sum;
  double count = 0;
  for (size_t i = 0; i < batches; ++i) {
    const Tensor x = tensor_of(i);
    const auto part = x.sum(other_axes(step, x), false, torch::kDouble);
    sum = sum.defined() ? sum + part : part;
    count += static_cast<double>(x.numel()) / static_cast<double>(part.numel());
  }
  return sum / count;
}

Tensor sequential_shift(const LayerStep& step) {
  return channel_means(step, step.inputs.size(), [&](size_t i) {
    return step.exact_outputs[i] - step.run(step.inputs[i], step.weight, step.bias);
  });
}

Tensor fast_shift(const LayerStep& step, const Tensor& exact_weight) {
  const auto& like = step.exact_inputs.at(0);
  auto mean = channel_means(step, step.exact_inputs.size(), [&](size_t i) {
                return step.exact_inputs[i];
              }).to(torch::kFloat);
  if (step.layer.as<op::Conv>()) mean = mean.reshape({1, -1, 1, 1});
  const auto constant = mean.expand_as(like.slice(0, 0, 1)).contiguous();
  const auto difference = step.run(constant, exact_weight - step.weight, {});
  return difference.mean(other_axes(step, difference), false, torch::kDouble);
}

}  // namespace

const std::vector<std::string>& bias_correction_names() {
  static const std::vector<std::string> names = {"none", "fast", "sequential"};
  return names;
}

BiasCorrection find_bias_correction(const std::string& name) {
  return static_cast<BiasCorrection>(find_name("bias correction", name, bias_correction_names()));
}

const std::string& bias_correction_name(BiasCorrection value) {
  return bias_correction_names().at(static_cast<size_t>(value));
}

void correct_biases(const Graph& exact, Graph& quantized, BiasCorrection method,
                    const std::vector<Tensor>& batches) {
  if (method == BiasCorrection::none) return;
  const torch::NoGradGuard no_grad;
  walk_layers(exact, quantized, batches, [&](LayerStep& step) {
    if (!step.bias.defined()) return;
    const auto shift = method == BiasCorrection::sequential ? sequential_shift(step)
                                                            : fast_shift(step, step.exact_weight);
    step.bias = (step.bias.to(torch::kDouble) + shift).to(torch::kFloat);
  });
}

}  // namespace plateforge
