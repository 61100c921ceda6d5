#include "compress/quantize/equalize.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "compress/quantize/channel_uses.h"
#include "compress/quantize/quantize.h"
#include "compress/quantize/smooth_quant.h"
#include "models/graph/execute.h"
#include "tests/unit/compress/nets.h"

namespace plateforge {
namespace {

torch::Tensor constant(const Graph& graph, const std::string& name) {
  for (const auto& tensor : graph.tensors) {
    if (tensor.name == name) return tensor.value;
  }
  return {};
}

// The stem's dropped channels reach a hundred times as far as the kept ones.
ForkCnn uneven_network() {
  ForkCnn network;
  randomize(network, 4);
  const torch::NoGradGuard no_grad;
  network.stem->weight.slice(0, 1, c10::nullopt, 2).mul_(100);
  return network;
}

// Largest value of each of a tensor's channels.
torch::Tensor channel_ranges(const Graph& graph, const std::string& name,
                             const torch::Tensor& images) {
  torch::Tensor found;
  execute(graph, {images}, [&](const Node& node, const torch::Tensor& x) {
    if (node.name == name) found = x.abs().amax({0, 2, 3});
  });
  return found;
}

TEST(ChannelUses, FollowsPoolsAndSlicesToTheirEnds) {
  ForkCnn network;
  const auto graph = deployed(network);
  const auto outputs = scalable_outputs(graph);
  ASSERT_EQ(outputs.size(), 1U);  // the body ends in the concatenation, the head is the output
  EXPECT_EQ(outputs[0].layer, "stem");
  ASSERT_EQ(outputs[0].uses.size(), 3U);
  EXPECT_EQ(outputs[0].uses[0].node, "body");
  EXPECT_TRUE(outputs[0].uses[0].absorbs);
  EXPECT_EQ(outputs[0].uses[0].channels, (std::vector<int64_t>{0, 2, 4, 6, 8, 10, 12, 14}));
  EXPECT_EQ(graph.tensor(outputs[0].uses[1].tensor).name, "avg_pool");
  EXPECT_FALSE(outputs[0].uses[1].absorbs);
}

TEST(ChannelUses, ResidualAddsAndClampsKeepTheirScale) {
  ShortcutCnn residual;
  const auto outputs = scalable_outputs(deployed(residual));
  ASSERT_EQ(outputs.size(), 1U);  // only the inner one: stem and second feed the sum
  EXPECT_EQ(outputs[0].layer, "first");
  PlainCnn plain;  // body.5 ends in a ReLU6
  const auto plain_outputs = scalable_outputs(deployed(plain));
  ASSERT_EQ(plain_outputs.size(), 1U);
  EXPECT_EQ(plain_outputs[0].layer, "body.0");
}

TEST(Equalize, EveryFormComputesTheSame) {
  auto branch = uneven_network();
  ShortcutCnn residual;
  PlainCnn plain;
  randomize(residual, 5), randomize(plain, 6);
  for (Network* network : std::vector<Network*>{&branch, &residual, &plain}) {
    const auto images = pictures(2, 7);
    const auto exact = deployed(*network);
    const auto expected = execute(exact, {images[0]})[0];
    for (const auto& name : equalization_names()) {
      auto graph = exact;
      equalize(graph, find_equalization(name), images);
      const auto got = execute(graph, {images[0]})[0];
      EXPECT_TRUE(torch::allclose(expected, got, 1e-4, 1e-5))
          << name << ": " << (expected - got).abs().max().item<float>();
    }
  }
}

TEST(Equalize, GroupGivesKeptAndDroppedChannelsOneFactorEach) {
  auto network = uneven_network();
  const auto images = pictures(3, 7);
  auto graph = deployed(network);
  const auto before = constant(graph, "stem.weight");
  EXPECT_EQ(equalize(graph, Equalization::group, images), std::vector<std::string>{"stem"});
  const auto factors = (before / constant(graph, "stem.weight")).flatten(1).mean(1);
  const auto kept = factors.slice(0, 0, c10::nullopt, 2);
  const auto dropped = factors.slice(0, 1, c10::nullopt, 2);
  EXPECT_TRUE(torch::allclose(kept, kept[0].expand_as(kept)));
  EXPECT_TRUE(torch::allclose(dropped, torch::ones_like(dropped)));
  EXPECT_LT(kept[0].item<float>(), 0.1);
  EXPECT_GE(kept[0].item<float>(), 0.02F * 0.999F);
}

TEST(Equalize, AllGivesEveryChannelTheSameRange) {
  auto network = uneven_network();
  const auto images = pictures(1, 7, 1);
  auto graph = deployed(network);
  const auto before = channel_ranges(graph, "relu", images[0]);
  equalize(graph, Equalization::all, images);
  const auto after = channel_ranges(graph, "relu", images[0]);
  const auto reach = before.max();
  const auto expected = torch::where(before > 0.02 * reach, reach, before / 0.02);
  EXPECT_TRUE(torch::allclose(after, expected, 1e-3)) << after << expected;
  EXPECT_GT((before < 0.5 * reach).sum().item<int64_t>(), 4);  // there was something to do
}

TEST(Equalize, WeightsOfAChannelGetTheSameRange) {
  ShortcutCnn network;
  randomize(network, 8);
  {
    const torch::NoGradGuard no_grad;
    network.first->weight[3].mul_(50);
  }
  auto graph = deployed(network);
  EXPECT_EQ(equalize(graph, Equalization::weights, {}), std::vector<std::string>{"first"});
  const auto written = constant(graph, "first.weight").abs().amax({1, 2, 3});
  const auto read = constant(graph, "second.weight").abs().amax({0, 2, 3});
  EXPECT_TRUE(torch::allclose(written, read, 1e-3)) << written << read;
}

TEST(Equalize, DeadChannelsStayAsTheyAre) {
  ShortcutCnn network;
  randomize(network, 8);
  {
    const torch::NoGradGuard no_grad;
    network.first->weight[3].zero_();
    network.second->weight.select(1, 5).zero_();
  }
  auto graph = deployed(network);
  equalize(graph, Equalization::weights, {});
  EXPECT_TRUE(constant(graph, "first.weight").isfinite().all().item<bool>());
  EXPECT_EQ(constant(graph, "first.weight")[3].abs().max().item<float>(), 0);
}

// A channel of the norm reaches two hundred times as far as the others; its readers' weights are as
// much smaller.
NormedTokens far_reaching_norm() {
  NormedTokens network;
  randomize(network, 5);
  const torch::NoGradGuard no_grad;
  network.norm->weight[3].mul_(200);
  network.norm->bias[3].mul_(200);
  for (auto* reader : {&network.gate, &network.value}) (*reader)->weight.select(1, 3).div_(200);
  return network;
}

double quantization_error(NormedTokens& network, double strength) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(6);
  const auto images = torch::rand({16, 3, 12, 20}) * 2 - 1;
  PostTrainingQuantizer quantizer(trace(network, {-1, 3, 12, 20}), {images},
                                  {.smooth_norms = strength});
  const auto expected = network.forward(images);
  const auto exact = execute(quantizer.graph(), {images}).front();
  EXPECT_TRUE(torch::allclose(exact, expected, 1e-4, 1e-4));  // still the same network
  return (execute(quantizer.build({}), {images}).front() - expected).norm().item<double>();
}

TEST(SmoothNorms, FarReachingChannelsLeaveTheOthersTheirLevels) {
  auto network = far_reaching_norm();
  network.eval();
  EXPECT_LT(quantization_error(network, 0.5), 0.3 * quantization_error(network, 0));
}

TEST(SmoothNorms, FindsNormsThatFeedLinearLayersAlone) {
  NormedTokens network;
  randomize(network, 7);
  auto graph = deployed(network);
  EXPECT_EQ(smooth_norms(graph, 0.5, {torch::randn({4, 3, 12, 20})}),
            std::vector<std::string>{"norm"});
  PlainCnn plain;
  auto without = deployed(plain);
  EXPECT_TRUE(smooth_norms(without, 0.5, {torch::randn({4, 3, 12, 20})}).empty());
}

}  // namespace
}  // namespace plateforge
