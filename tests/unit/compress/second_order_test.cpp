#include "compress/prune/second_order.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "compress/prune/masks.h"
#include "models/graph/execute.h"
#include "models/graph/trace.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

using torch::Tensor;

const Shape kOpen = {-1, 3, 12, 20}, kOne = {1, 3, 12, 20};

std::vector<Tensor> pictures() {
  torch::manual_seed(7);
  return {torch::randn({4, 3, 12, 20}), torch::randn({3, 3, 12, 20})};
}

struct Case {
  PlainCnn network{8};
  Graph graph;
  std::vector<PrunableLayer> layers;
  Case() {
    randomize(network, 4);
    graph = trace(network, kOpen);
    layers = prunable_layers(network, kOne);
  }
  LayerInputs inputs(size_t layer) const { return {graph, layers[layer].parameter}; }
};

// Rows times weight is what the layer computes: dense, depthwise and linear.
TEST(LayerInputs, TimesTheWeightAreTheLayersOutput) {
  Case c;
  const auto images = pictures()[0];
  for (size_t i = 0; i < c.layers.size(); ++i) {
    const auto& layer = c.layers[i];
    Tensor output;
    execute(c.graph, {images}, [&](const Node& node, const Tensor& value) {
      if (node.name == layer.name) output = value;
    });
    const auto rows = c.inputs(i).rows(images);  // [groups, rows, k]
    const auto weight = layer.weight.reshape({rows.size(0), -1, rows.size(2)});
    auto product = rows.bmm(weight.transpose(1, 2));  // [groups, N * places, O / groups]
    if (layer.bias.defined()) product = product + layer.bias.reshape({rows.size(0), 1, -1});
    if (output.dim() == 4)  // [N, O, H, W] -> [N * places, O]
      output = output.flatten(2).transpose(1, 2).flatten(0, 1);
    const auto got = product.permute({1, 0, 2}).reshape(output.sizes());
    EXPECT_TRUE(torch::allclose(got, output, 1e-4, 1e-4)) << layer.name;
  }
}

// Brute force over one row: the mask is given, the kept weights are the least-squares solution.
TEST(LayerProblem, SolvesForTheWeightsThatStay) {
  Case c;
  const auto images = pictures();
  const auto& head = c.layers[2];
  const auto before = head.weight.clone(), bias = head.bias.clone();
  const LayerProblem problem(head, c.inputs(2), nullptr, images);
  for (const double ratio : {0.25, 0.75}) {  // few and many removed: both ways to solve
    head.weight.copy_(before), head.bias.copy_(bias);
    const auto mask = mask_lowest(problem.scores(), ratio);
    problem.solve(mask, head);
    EXPECT_TRUE(((head.weight != 0) == mask).all().item<bool>());

    const auto products = input_products(c.inputs(2), nullptr, images, true).own[0];
    const auto damping = 0.01 * products.diagonal().mean();
    const auto hessian = products + damping * torch::eye(9, torch::kDouble);
    const auto dense = torch::cat({before[0], bias.slice(0, 0, 1)}).to(torch::kDouble);
    const auto stays = torch::cat({mask[0], torch::ones({1}, torch::kBool)}).nonzero().squeeze(1);
    const auto expected =
        torch::linalg_solve(hessian.index_select(0, stays).index_select(1, stays),
                            hessian.mv(dense).index_select(0, stays), /*left=*/true);
    const auto got = torch::cat({head.weight[0], head.bias.slice(0, 0, 1)}).to(torch::kDouble);
    EXPECT_TRUE(torch::allclose(got.index_select(0, stays), expected, 1e-3, 1e-4)) << ratio;
  }
}

double output_error(const Case& c, const LayerInputs& inputs, const PrunableLayer& layer,
                    const Tensor& weight, const Tensor& bias, const std::vector<Tensor>& images) {
  double error = 0;
  for (const auto& batch : images) {
    const auto rows = inputs.rows(batch);
    const auto flat = [&](const Tensor& w) {
      return w.reshape({rows.size(0), -1, rows.size(2)}).transpose(1, 2);
    };
    const auto difference = rows.bmm(flat(weight)) + bias.reshape({rows.size(0), 1, -1}) -
                            rows.bmm(flat(layer.weight)) -
                            layer.bias.reshape({rows.size(0), 1, -1});
    error += difference.square().sum().item<double>();
  }
  return (void)c, error;
}

TEST(LayerProblem, KeepsTheOutputBetterThanZeroingAlone) {
  Case c;
  const auto images = pictures();
  for (const size_t i : {size_t{1}, size_t{2}}) {  // depthwise and linear
    const auto& layer = c.layers[i];
    const auto weight = layer.weight.clone(), bias = layer.bias.clone();
    const LayerProblem problem(layer, c.inputs(i), nullptr, images);
    const auto mask = mask_lowest(problem.scores(), 0.5);
    problem.solve(mask, layer);
    const double solved = output_error(c, c.inputs(i), layer, weight, bias, images);
    layer.weight.copy_(weight * mask), layer.bias.copy_(bias);
    const double zeroed = output_error(c, c.inputs(i), layer, weight, bias, images);
    EXPECT_LT(solved, 0.8 * zeroed) << layer.name;
  }
}

// An earlier layer changed; the later one is solved against the dense network's outputs, even
// without zeros of its own.
TEST(LayerProblem, MakesUpForEarlierLayers) {
  Case c;
  auto dense_graph = c.graph;
  for (auto& tensor : dense_graph.tensors)
    if (tensor.is_constant()) tensor.value = tensor.value.clone();
  const auto images = pictures();
  const auto wanted = execute(dense_graph, {images[0]})[0];
  c.layers[1].weight.mul_(0.7);
  const auto off = (execute(c.graph, {images[0]})[0] - wanted).abs().mean().item<double>();
  const auto& head = c.layers[2];
  const LayerInputs dense(dense_graph, head.parameter);
  const LayerProblem problem(head, c.inputs(2), &dense, images);
  problem.solve(torch::ones_like(head.weight, torch::kBool), head);
  const auto left = (execute(c.graph, {images[0]})[0] - wanted).abs().mean().item<double>();
  EXPECT_LT(left, 0.5 * off);
}

TEST(WandaScores, AreWeightsTimesTheNormOfTheirInput) {
  Case c;
  const auto images = pictures();
  const auto& head = c.layers[2];
  const auto rows = torch::cat({c.inputs(2).rows(images[0]), c.inputs(2).rows(images[1])}, 1)[0];
  const auto expected = head.weight.abs() * rows.square().sum(0).sqrt();
  EXPECT_TRUE(torch::allclose(wanda_scores(head, c.inputs(2), images), expected, 1e-4));
}

}  // namespace
}  // namespace plateforge
