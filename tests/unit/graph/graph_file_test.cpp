#include "models/graph/graph_file.h"

#include <gtest/gtest.h>

#include "configs/error.h"
#include "models/graph/execute.h"
#include "models/graph/trace.h"
#include "models/graph_network.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

Graph example() {
  PlainCnn network;
  randomize(network, 3);
  return trace(network, {-1, 3, 12, 20});
}

std::string problem(const std::string& text, const TensorDict& constants) {
  try {
    read_graph(text, constants, "model.safetensors");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(GraphFile, ComesBackWhole) {
  const auto graph = example();
  const auto again = read_graph(write_graph(graph), graph_constants(graph), "test");
  EXPECT_EQ(dump(again), dump(graph));
  const auto images = torch::randn({2, 3, 12, 20});
  EXPECT_TRUE(torch::equal(execute(again, {images})[0], execute(graph, {images})[0]));
}

TEST(GraphFile, BrokenGraphsAreOneSentence) {
  const auto graph = example();
  const auto text = write_graph(graph);
  const auto constants = graph_constants(graph);
  const std::string start = "model.safetensors: the graph in the metadata is broken: ";
  EXPECT_EQ(problem(replaced(text, "\"op\":\"max_pool\"", "\"op\":\"rotate\""), constants),
            start + "unknown operation 'rotate'; a newer plateforge wrote it");
  EXPECT_EQ(problem(replaced(text, "\"groups\":1", "\"groups\":1,\"holes\":2"), constants),
            start + "unknown attribute 'holes'");
  EXPECT_NE(problem(replaced(text, "\"groups\"", "\"group\""), constants).find("groups"),
            std::string::npos);
  EXPECT_EQ(problem(text.substr(0, text.size() / 2), constants).find(start), 0U);
  auto fewer = constants;
  fewer.erase("head.weight");
  EXPECT_EQ(problem(text, fewer), start + "no value for 'head.weight'");
  auto other = constants;
  other["head.weight"] = torch::zeros({5, 9});
  EXPECT_EQ(problem(text, other), start + "'head.weight' is [5, 9], expected [5, 8]");
}

// The gradients of a graph are those of the network that it was traced from.
TEST(GraphNetwork, Trains) {
  PlainCnn network;
  randomize(network, 3);
  network.eval();
  GraphNetwork graph(trace(network, {-1, 3, 12, 20}));
  const auto images = torch::randn({2, 3, 12, 20});
  network.forward(images).square().sum().backward();
  graph.forward(images).square().sum().backward();
  const auto expected = network.named_parameters();
  const auto found = graph.named_parameters();
  EXPECT_EQ(found.size(), expected.size());
  for (const auto& item : expected) {
    const auto* parameter = found.find(item.key());
    ASSERT_NE(parameter, nullptr) << item.key();
    EXPECT_TRUE(torch::allclose(parameter->grad(), item.value().grad())) << item.key();
  }
}

TEST(FakeQuantize, RoundsToTheGrid) {
  const auto x = torch::tensor({-1.0F, 0.26F, 0.25F, 0.75F, 1.3F, 300.0F});
  const auto y = execute(op::FakeQuantize{0, 255, -1},
                         {x, torch::tensor(0.5F), torch::tensor(1, torch::kInt)});
  EXPECT_TRUE(torch::equal(y, torch::tensor({-0.5F, 0.5F, 0.0F, 1.0F, 1.5F, 127.0F}))) << y;
  const auto rows = execute(op::FakeQuantize{-127, 127, 0},
                            {torch::tensor({{1.2F, -9.0F}, {1.2F, -9.0F}}),
                             torch::tensor({1.0F, 0.01F}), torch::zeros({2}, torch::kInt)});
  EXPECT_TRUE(torch::allclose(rows, torch::tensor({{1.0F, -9.0F}, {1.2F, -1.27F}}))) << rows;
}

TEST(FakeQuantize, DynamicRangeIsThatOfTheTensor) {
  const auto x = torch::tensor({-1.0F, 0.0F, 0.3F, 4.1F});
  const auto y = execute(op::DynamicFakeQuantize{}, {x});
  const float scale = 5.1F / 255;  // 50 steps below zero
  EXPECT_TRUE(torch::allclose(y, torch::tensor({-50.0F, 0.0F, 15.0F, 205.0F}) * scale)) << y;
}

}  // namespace
}  // namespace plateforge
