#include "models/graph/graph.h"

#include <gtest/gtest.h>

#include "models/graph/execute.h"
#include "models/graph/passes.h"

namespace plateforge {
namespace {

TEST(Graph, MacsOfAGroupedConvolution) {
  Graph graph;
  const auto x = graph.add_tensor("x", {1, 8, 10, 10}, Origin::input);
  const auto w =
      graph.add_tensor("w", {16, 4, 3, 1}, Origin::parameter, torch::zeros({16, 4, 3, 1}));
  graph.add_node(op::Conv{{1, 1}, {1, 0}, {1, 1}, 2}, "c", {x, w}, {1, 16, 10, 10});
  EXPECT_EQ(macs(graph), 16 * 100 * 4 * 3);
  EXPECT_EQ(parameters(graph), 16 * 4 * 3);
}

TEST(Graph, NamesStayUnique) {
  Graph graph;
  const auto x = graph.add_tensor("x", {1}, Origin::input);
  graph.add_node(op::Relu{}, "relu", {x}, {1});
  graph.add_node(op::Relu{}, "relu", {x}, {1});
  EXPECT_EQ(graph.nodes[1].name, "relu_2");
  EXPECT_EQ(graph.readers(x).size(), 2U);
}

TEST(Graph, ReplaceUsesReachesTheOutputs) {
  Graph graph;
  const auto x = graph.add_tensor("x", {1}, Origin::input);
  const auto y = graph.add_node(op::Relu{}, "relu", {x}, {1});
  graph.outputs = {y};
  graph.replace_uses(y, x);
  EXPECT_TRUE(graph.is_output(x));
  EXPECT_FALSE(graph.is_output(y));
  EXPECT_EQ(graph.producer(y), &graph.nodes[0]);
  EXPECT_EQ(graph.producer(x), nullptr);
}

TEST(Graph, AnAddedVectorBecomesTheBias) {
  torch::manual_seed(3);
  Graph graph;
  const auto x = graph.add_tensor("x", {1, 2, 4}, Origin::input);
  graph.inputs = {x};
  const auto w = graph.add_tensor("w", {4, 4}, Origin::parameter, torch::randn({4, 4}));
  const auto b = graph.add_tensor("b", {4}, Origin::parameter, torch::randn({4}));
  const auto first = graph.add_node(op::Linear{}, "first", {x, w}, {1, 2, 4});
  const auto moved = graph.add_node(op::Add{}, "moved", {b, first}, {1, 2, 4});
  const auto second = graph.add_node(op::Linear{}, "second", {moved, w}, {1, 2, 4});
  const auto apart = graph.add_node(op::Add{}, "apart", {second, b}, {1, 2, 4});
  graph.outputs = {apart, second};  // here the sum without the bias is wanted too
  const auto input = torch::randn({1, 2, 4});
  const auto expected = execute(graph, {input});
  join_biases(graph);
  ASSERT_EQ(graph.nodes.size(), 3U);
  EXPECT_EQ(graph.nodes[0].inputs, (std::vector{x, w, b}));
  const auto got = execute(graph, {input});
  for (const size_t i : {0, 1}) EXPECT_TRUE(torch::allclose(got[i], expected[i], 1e-5, 1e-6));
}

}  // namespace
}  // namespace plateforge
