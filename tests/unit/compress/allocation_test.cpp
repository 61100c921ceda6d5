#include "compress/prune/allocation.h"

#include <gtest/gtest.h>

#include "configs/error.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

using torch::Tensor;

struct Case {
  PlainCnn network{8};
  std::vector<PrunableLayer> layers;
  std::vector<Tensor> scores;
  Case() {
    randomize(network, 4);
    layers = prunable_layers(network, {1, 3, 12, 20});
    for (const auto& layer : layers) scores.push_back(layer.weight.abs());
  }
};

double removed_share(const Ratios& ratios, const std::vector<PrunableLayer>& layers) {
  double removed = 0, all = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    removed += ratios[i] * static_cast<double>(layers[i].weight.numel());
    all += static_cast<double>(layers[i].weight.numel());
  }
  return removed / all;
}

TEST(PrunableLayers, AreTheWeightsOfTheTracedNetwork) {
  Case c;
  EXPECT_EQ(layer_names(c.layers), (std::vector<std::string>{"body.0", "body.5", "head"}));
  EXPECT_EQ(c.layers[0].macs, 12 * 20 * 8 * 27);
  c.layers[2].weight.zero_();  // the module's own memory
  EXPECT_EQ(c.network.head->weight.abs().sum().item<float>(), 0);
}

TEST(Allocation, UniformGivesEveryLayerTheRatio) {
  Case c;
  EXPECT_EQ(allocate({.allocation = "uniform", .ratio = 0.3}, c.layers, c.scores),
            (Ratios{0.3, 0.3, 0.3}));
}

TEST(Allocation, GlobalCutsThroughAllScoresAtOnce) {
  const std::vector<Tensor> scores = {torch::tensor({1.F, 2.F, 3.F, 4.F}),
                                      torch::tensor({5.F, 6.F}), torch::tensor({0.5F, 9.F})};
  EXPECT_EQ(allocate_global(scores, 0.5), (Ratios{0.75, 0, 0.5}));
}

TEST(Allocation, NormScalingIgnoresTheSizeOfALayersWeights) {
  Case c;
  const PruneConfig config{.allocation = "norm_global", .ratio = 0.5};
  const auto before = allocate(config, c.layers, c.scores);
  c.scores[0] = c.scores[0] * 1000;
  EXPECT_EQ(allocate(config, c.layers, c.scores), before);
  EXPECT_NE(allocate({.allocation = "global"}, c.layers, c.scores), before);
}

// Extents 3 + 3 and 1 + 1 over 9 and 1 weights, one of two kept: density s * 6 / 9 and s * 2 / 1
// with 6 s + 2 s = 5 would keep 1.25 of the second layer, so that is dense and the first keeps 4.
TEST(Allocation, ErkIsSolvedAgainWithoutTheLayersThatStayDense) {
  const auto ratios = allocate_erk({torch::ones({3, 3}), torch::ones({1, 1})}, 0.5);
  EXPECT_NEAR(ratios[0], 5.0 / 9, 1e-12);
  EXPECT_EQ(ratios[1], 0);
}

TEST(Allocation, LampScoresAreSquaresOverWhatIsNotLower) {
  const auto scores = lamp_scores(torch::tensor({2.F, 1.F, 3.F}));
  EXPECT_TRUE(torch::allclose(scores, torch::tensor({4.0 / 13, 1.0 / 14, 1.0}, torch::kDouble)));
}

TEST(Allocation, EveryRuleReachesTheRatioAndLeavesNamedLayersAlone) {
  Case c;
  for (const char* rule : {"uniform", "global", "norm_global", "erk", "lamp"}) {
    const auto free = allocate({.allocation = rule, .ratio = 0.6}, c.layers, c.scores);
    EXPECT_NEAR(removed_share(free, c.layers), 0.6, 0.003) << rule;
    const auto fixed =
        allocate({.allocation = rule, .ratio = 0.6, .layers = {"body=0.1", "body.5=0.2"}}, c.layers,
                 c.scores);
    EXPECT_EQ(fixed[0], 0.1) << rule;
    EXPECT_EQ(fixed[1], 0.2) << rule;
    EXPECT_NEAR(fixed[2], 0.6, 0.02) << rule;
  }
}

TEST(Allocation, MapLeavesOtherLayersDense) {
  Case c;
  EXPECT_EQ(allocate({.allocation = "layers", .layers = {"head=0.9"}}, c.layers, c.scores),
            (Ratios{0, 0, 0.9}));
}

void expect_error(const PruneConfig& config, const std::string& part) {
  Case c;
  try {
    allocate(config, c.layers, c.scores);
    FAIL() << "expected an Error with " << part;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Allocation, MistakesAreOneSentence) {
  expect_error({.allocation = "uniform", .ratio = 1}, "[0, 1)");
  expect_error({.allocation = "layers", .layers = {"head=1.0"}}, "[0, 1)");
  expect_error({.allocation = "layers", .layers = {"haed=0.5"}}, "known: body.0, body.5, head");
  expect_error({.allocation = "layers", .layers = {"body.=0.5"}}, "no layer is called");
  expect_error({.allocation = "layers", .layers = {"head"}}, "PREFIX=RATIO");
  expect_error({.allocation = "layers", .layers = {"head=x"}}, "PREFIX=RATIO");
  expect_error({.allocation = "layers"}, "needs prune.layers");
}

}  // namespace
}  // namespace plateforge
