#include "models/graph/graph.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace plateforge
