#include "export/portable.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

#include <algorithm>

#include "models/graph/execute.h"
#include "models/graph/passes.h"
#include "models/graph/trace.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

template <class T>
int64_t count(const Graph& graph) {
  return std::count_if(graph.nodes.begin(), graph.nodes.end(),
                       [](const Node& node) { return node.as<T>() != nullptr; });
}

void prepare_for_export(Graph& graph) {
  simplify(graph);
  spell_portably(graph);
}

float difference(const Graph& a, const Graph& b, const torch::Tensor& images) {
  const auto x = execute(a, {images})[0], y = execute(b, {images})[0];
  EXPECT_EQ(x.sizes(), y.sizes());
  return ((x - y).abs().max() / x.abs().max()).item<float>();
}

TEST(Passes, FoldedGraphComputesTheSame) {
  PlainCnn network;
  randomize(network, 5);
  const auto traced = trace(network, {2, 3, 12, 20});
  auto graph = traced;
  prepare_for_export(graph);
  EXPECT_EQ(count<op::BatchNorm>(graph), 0);
  EXPECT_EQ(count<op::Identity>(graph), 0);
  EXPECT_EQ(count<op::Clamp>(graph), 0);
  for (const auto& node : graph.nodes) {  // the convolution without bias got one
    EXPECT_TRUE(!node.as<op::Conv>() || node.inputs.size() == 3) << dump(graph);
  }
  EXPECT_LT(difference(traced, graph, torch::randn({2, 3, 12, 20})), 1e-5F);
}

TEST(Passes, FoldingLeavesTheNetworkAlone) {
  PlainCnn network;
  randomize(network, 5);
  const auto before = network.named_parameters()["body.0.weight"].clone();
  auto graph = trace(network, {1, 3, 12, 20});
  prepare_for_export(graph);
  EXPECT_TRUE(torch::equal(before, network.named_parameters()["body.0.weight"]));
}

// One weight before two norms: each gets its own copy.
struct SharedWeight : Network {
  torch::nn::Conv2d conv{register_module("conv", torch::nn::Conv2d(3, 3, 1))};
  torch::nn::BatchNorm2d norm{register_module("norm", torch::nn::BatchNorm2d(3))};
  torch::Tensor forward(const torch::Tensor& x) override { return norm(conv(norm(conv(x)))); }
};

TEST(Passes, FoldsSharedWeightsApart) {
  SharedWeight network;
  randomize(network, 6);
  const auto traced = trace(network, {1, 3, 4, 4});
  auto graph = traced;
  prepare_for_export(graph);
  EXPECT_EQ(graph.nodes.size(), 2U);
  EXPECT_LT(difference(traced, graph, torch::randn({1, 3, 4, 4})), 1e-5F);
}

// A norm after a tensor that something else reads must stay.
struct TappedNorm : Network {
  torch::nn::Conv2d conv{register_module("conv", torch::nn::Conv2d(3, 3, 1))};
  torch::nn::BatchNorm2d norm{register_module("norm", torch::nn::BatchNorm2d(3))};
  torch::Tensor forward(const torch::Tensor& x) override {
    const auto y = conv(x);
    return norm(y) + y;
  }
};

TEST(Passes, KeepsANormWhoseInputIsTapped) {
  TappedNorm network;
  randomize(network, 7);
  const auto traced = trace(network, {1, 3, 4, 4});
  auto graph = traced;
  prepare_for_export(graph);
  EXPECT_EQ(count<op::BatchNorm>(graph), 1);
  EXPECT_LT(difference(traced, graph, torch::randn({1, 3, 4, 4})), 1e-5F);
}

class PortableSpelling : public testing::TestWithParam<int64_t> {};

TEST_P(PortableSpelling, KeepsTheContextNormaliser) {
  const auto channels = GetParam();
  ContextCnn network(channels);
  randomize(network, 8);
  // An odd height and width, so that odd channel counts leave no factor 2 anywhere.
  for (const int64_t batch : {1, 3}) {
    const auto traced = trace(network, {batch, 3, 9, 19});
    auto graph = traced;
    prepare_for_export(graph);
    for (const auto& node : graph.nodes) {
      const auto* mean = node.as<op::Mean>();
      EXPECT_TRUE(!mean || mean->axes == (Shape{2, 3})) << dump(graph);
      if (!node.as<op::Divide>()) continue;
      EXPECT_GT(graph.shape(node.inputs[1])[1], 1) << "OpenCV 4.6 refuses this\n" << dump(graph);
    }
    EXPECT_LT(difference(traced, graph, torch::randn({batch, 3, 9, 19})), 1e-5F);
  }
}
INSTANTIATE_TEST_SUITE_P(Channels, PortableSpelling, testing::Values(2, 5, 7, 8, 11));

// The published port divides by the mean over the whole batch; at batch 1 that is the sample's.
struct WholeBatchContext : Network {
  torch::nn::Conv2d conv{register_module("conv", torch::nn::Conv2d(3, 4, 3))};
  torch::Tensor forward(const torch::Tensor& x) override {
    const auto y = conv(x);
    return y / y.pow(2).mean();
  }
};

TEST(Passes, SpellsTheWholeBatchMeanOfOneSample) {
  WholeBatchContext network;
  randomize(network, 9);
  for (const int64_t batch : {1, 2}) {
    const auto traced = trace(network, {batch, 3, 6, 7});
    auto graph = traced;
    prepare_for_export(graph);
    EXPECT_EQ(graph.nodes.size(), batch == 1 ? 8U : 4U) << dump(graph);
    EXPECT_LT(difference(traced, graph, torch::randn({batch, 3, 6, 7})), 1e-5F);
  }
}

TEST(Passes, ConstantsFold) {
  Graph graph;
  const auto x = graph.add_tensor("x", {2}, Origin::input);
  graph.inputs = {x};
  const auto a = graph.add_literal("a", torch::tensor({1.F, 2.F}));
  const auto sum = graph.add_node(op::Add{}, "sum", {a, a}, {2});
  graph.outputs = {graph.add_node(op::Multiply{}, "out", {x, sum}, {2})};
  fold_constants(graph);
  ASSERT_EQ(graph.nodes.size(), 1U);
  const auto out = execute(graph, {torch::ones({2})})[0];
  EXPECT_TRUE(torch::equal(out, torch::tensor({2.F, 4.F})));
}

}  // namespace
}  // namespace plateforge
