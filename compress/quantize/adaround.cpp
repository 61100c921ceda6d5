#include "compress/quantize/adaround.h"

#include <torch/optim/adam.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "compress/layer_walk.h"
#include "compress/layers.h"

namespace plateforge {
namespace {

using torch::Tensor;

constexpr double kStretchHigh = 1.1, kStretchLow = -0.1;  // zeta and gamma of the paper
constexpr double kFirstSharpness = 20, kLastSharpness = 2, kWarmUp = 0.2;

// The grid of one weight: integers low..high times a scale per channel.
struct Grid {
  Tensor scale;  // broadcasts against the weight
  double low = 0, high = 0;
};

Grid grid_of(const Graph& graph, const Node& layer) {
  const auto* quantizer = graph.producer(layer.inputs[1]);
  const auto* type = quantizer->as<op::FakeQuantize>();
  const auto& scales = graph.tensor(quantizer->inputs[1]).value;
  Shape shape(graph.shape(quantizer->output).size(), 1);
  shape[static_cast<size_t>(type->axis)] = -1;
  return {scales.reshape(shape), static_cast<double>(type->low), static_cast<double>(type->high)};
}

Tensor rectified_sigmoid(const Tensor& v) {
  return (v.sigmoid() * (kStretchHigh - kStretchLow) + kStretchLow).clamp(0, 1);
}

// Where the rectified sigmoid takes this value.
Tensor inverse_rectified_sigmoid(const Tensor& h) {
  return (((h - kStretchLow) / (kStretchHigh - kStretchLow)).clamp(1e-4, 1 - 1e-4)).logit();
}

double sharpness(double progress) {  // cosine from the first to the last, behind the warm-up
  const auto t = std::max(0.0, (progress - kWarmUp) / (1 - kWarmUp));
  return kLastSharpness +
         (kFirstSharpness - kLastSharpness) * (1 + std::cos(t * std::numbers::pi)) / 2;
}

// Squared error of the outputs, summed over channels as the paper's loss, mean over the rest.
Tensor output_error(const LayerStep& step, const Tensor& weight, const Tensor& input,
                    const Tensor& expected) {
  const auto channels = channel_axis(step.layer, expected.dim());
  return (step.run(input, weight, step.bias) - expected).square().sum(channels).mean();
}

class Rounding {
 public:
  Rounding(const LayerStep& step, Grid grid)
      : step_(step),
        grid_(std::move(grid)),
        floor_((step.exact_weight / grid_.scale).floor()),
        kept_(step.exact_weight != 0) {
    const auto remainder = step.exact_weight / grid_.scale - floor_;
    choice_ = inverse_rectified_sigmoid(remainder).detach().clone().requires_grad_(true);
  }

  Tensor& choice() { return choice_; }
  Tensor soft() const { return on_grid(rectified_sigmoid(choice_)); }
  Tensor hard() const { return on_grid((rectified_sigmoid(choice_) >= 0.5).to(torch::kFloat)); }
  Tensor indecision(double power) const {
    const auto distance = (rectified_sigmoid(choice_) * 2 - 1).abs();
    return ((1 - distance.pow(power)) * kept_).mean();
  }

 private:
  Tensor on_grid(const Tensor& up) const {
    return (floor_ + up).clamp(grid_.low, grid_.high) * grid_.scale * kept_;
  }

  const LayerStep& step_;
  Grid grid_;
  Tensor floor_, kept_, choice_;
};

double mean_error(const LayerStep& step, const Tensor& weight) {
  const torch::NoGradGuard no_grad;
  double total = 0;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    total += output_error(step, weight, step.inputs[i], step.exact_outputs[i]).item<double>();
  }
  return total / static_cast<double>(step.inputs.size());
}

// Pictures first.. of one batch.
struct Sample {
  size_t batch = 0;
  int64_t first = 0, count = 0;

  Tensor of(const std::vector<Tensor>& tensors) const {
    return tensors[batch].slice(0, first, first + count);
  }
};

// Walks through the batches, and in each round a little further on within them.
Sample sample(const LayerStep& step, int64_t iteration, int64_t pictures) {
  const auto batches = static_cast<int64_t>(step.inputs.size());
  const auto batch = static_cast<size_t>(iteration % batches);
  const auto size = step.inputs[batch].size(0);
  const auto count = std::min(pictures, size);
  return {batch, iteration / batches * count % (size - count + 1), count};
}

Tensor learn(const LayerStep& step, const Grid& grid, double nearest_error,
             const AdaRoundOptions& options) {
  const torch::AutoGradMode with_gradients(true);
  Rounding rounding(step, grid);
  torch::optim::Adam adam({rounding.choice()}, torch::optim::AdamOptions(options.learning_rate));
  for (int64_t i = 0; i < options.iterations; ++i) {
    const auto pictures = sample(step, i, options.pictures);
    auto loss = output_error(step, rounding.soft(), pictures.of(step.inputs),
                             pictures.of(step.exact_outputs)) /
                nearest_error;
    const auto progress = static_cast<double>(i) / static_cast<double>(options.iterations);
    if (progress >= kWarmUp) {
      loss = loss + options.regularization * rounding.indecision(sharpness(progress));
    }
    adam.zero_grad();
    loss.backward();
    adam.step();
  }
  return rounding.hard().detach();
}

Tensor round_weight(const LayerStep& step, const Grid& grid, const AdaRoundOptions& options) {
  const auto nearest = mean_error(step, step.weight);
  if (!(nearest > 0)) return step.weight;
  const auto learned = learn(step, grid, nearest, options);
  return mean_error(step, learned) < nearest ? learned : step.weight;
}

}  // namespace

void adaround(const Graph& exact, Graph& quantized, const std::set<std::string>& layers,
              const std::vector<Tensor>& batches, const AdaRoundOptions& options,
              LearnedWeights& learned) {
  if (layers.empty()) return;
  const torch::NoGradGuard no_grad;
  walk_layers(exact, quantized, batches, [&](LayerStep& step) {
    if (!layers.contains(step.layer.name)) return;
    const auto grid = grid_of(quantized, step.layer);
    auto& known = learned[step.layer.name];
    if (!known.weight.defined() || !torch::equal(known.scales, grid.scale)) {
      known = {round_weight(step, grid, options), grid.scale};
    }
    step.weight = known.weight;
  });
}

}  // namespace plateforge
