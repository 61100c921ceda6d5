#include "export/channel_order.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/conv.h>
#include <torch/utils.h>

#include "models/graph/execute.h"
#include "models/graph/passes.h"
#include "models/graph/trace.h"
#include "tests/support/min_max.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

using torch::Tensor;

Graph simplified(Network& network, const Shape& input) {
  network.eval();
  auto graph = trace(network, input);
  simplify(graph);
  return graph;
}

int64_t strided_slices(const Graph& graph) {
  return std::count_if(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    const auto* slice = node.as<op::Slice>();
    return slice && slice->axis == 1 && slice->step > 1;
  });
}

// The pass and what it leaves: the same numbers.
int64_t left_after(Graph graph, const Tensor& images) {
  const torch::NoGradGuard no_grad;
  const auto before = execute(graph, {images})[0];
  line_up_slices(graph);
  const auto after = execute(graph, {images})[0];
  EXPECT_LT((before - after).abs().max().item<float>(), 1e-5F * before.abs().max().item<float>());
  return strided_slices(graph);
}

TEST(LineUpSlices, LprNetSlicesRuns) {
  const auto network = make_network({}, 68, 3);
  randomize(*network, 3);
  const auto images = torch::rand({2, 3, 24, 94}) * 2 - 1;
  const auto graph = simplified(*network, {2, 3, 24, 94});
  EXPECT_EQ(strided_slices(graph), 2);
  EXPECT_EQ(left_after(graph, images), 0);
}

TEST(LineUpSlices, QuantisedLprNetKeepsItsIntegers) {
  const torch::NoGradGuard no_grad;
  const auto network = make_network({}, 68, 3);
  randomize(*network, 3);
  const auto images = torch::rand({2, 3, 24, 94}) * 2 - 1;
  const auto quantized = quantize_min_max(*network, images, "int8-u8");
  auto graph = simplified(*quantized, {2, 3, 24, 94});
  line_up_slices(graph);
  EXPECT_EQ(strided_slices(graph), 0);
  const auto a = quantized->forward(images), b = execute(graph, {images})[0];
  EXPECT_LT((a - b).abs().max().item<float>(), 0.01F * a.abs().max().item<float>());
}

// conv -> relu -> a strided slice -> conv, with a choice of what else reads the relu.
struct Sliced : Network {
  enum class Also { nothing, output, reshape, scale, depthwise, second_slice };
  explicit Sliced(Also choice) : also(choice) {}
  Tensor forward(const Tensor& images) override {
    const auto x = torch::relu(conv(images));
    const auto main = head(x.slice(1, 1, c10::nullopt, 2));
    switch (also) {
      case Also::nothing:
        return main;
      case Also::output:
        return torch::cat({main, x}, 1);
      case Also::reshape:
        return main + x.flatten(1).slice(1, 0, 1).reshape({-1, 1, 1, 1});
      case Also::scale:
        return main + side(x * factor);
      case Also::depthwise:
        return main + side(each(x));
      case Also::second_slice:
        return main + head(x.slice(1, 0, c10::nullopt, 2));
    }
    throw std::logic_error("unknown choice");
  }
  Also also;
  torch::nn::Conv2d conv{register_module("conv", torch::nn::Conv2d(3, 6, 1))};
  torch::nn::Conv2d head{register_module("head", torch::nn::Conv2d(3, 4, 1))};
  torch::nn::Conv2d side{register_module("side", torch::nn::Conv2d(6, 4, 1))};
  torch::nn::Conv2d each{
      register_module("each", torch::nn::Conv2d(torch::nn::Conv2dOptions(6, 6, 1).groups(6)))};
  Tensor factor{register_buffer("factor", torch::rand({6, 1, 1}))};
};

TEST(LineUpSlices, FollowsWhatCanFollowAndLeavesTheRest) {
  using Also = Sliced::Also;
  const auto left = [](Also also) {
    Sliced network(also);
    randomize(network, 8);
    network.factor.copy_(torch::rand({6, 1, 1}));
    return left_after(simplified(network, {2, 3, 4, 5}), torch::rand({2, 3, 4, 5}));
  };
  EXPECT_EQ(left(Also::nothing), 0);
  EXPECT_EQ(left(Also::scale), 0);
  EXPECT_EQ(left(Also::depthwise), 0);
  EXPECT_EQ(left(Also::output), 1);
  EXPECT_EQ(left(Also::reshape), 1);
  EXPECT_EQ(left(Also::second_slice), 2);
}

}  // namespace
}  // namespace plateforge
