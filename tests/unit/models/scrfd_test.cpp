#include "models/scrfd.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/module.h>
#include <torch/utils.h>

#include <cmath>

#include "models/mobilenet_v4.h"
#include "models/model_file.h"
#include "models/ops/layers.h"
#include "tests/support/detectors.h"
#include "tests/support/problem.h"
#include "tests/support/small_nets.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

using torch::Tensor;

int64_t count(const torch::nn::Module& module) {
  int64_t total = 0;
  for (const auto& parameter : module.parameters()) total += parameter.numel();
  return total;
}

// gfickel/alpr's network: 8,562,288 + 161,920 + 340,370.
TEST(Scrfd, HasTheReferencesParameters) {
  EXPECT_EQ(count(*make_network(reference_detector(), 0)), 9'064'578);
}

TEST(Scrfd, PutsARowPerAnchor) {
  for (const auto& [name, config] : small_detectors()) {
    const auto network = make_network(config, 0, 1);
    const auto out = network->forward(torch::randn({2, 3, 64, 96}));
    const auto anchors = make_anchors(config.detector, 64, 96);
    EXPECT_EQ(out.sizes(),
              (Shape{2, anchors.centers.size(0), DetectorOutput(config.detector).size()}))
        << name;
  }
}

TEST(Scrfd, TakesOddInputs) {
  for (const auto& [name, config] : small_detectors()) {
    const auto network = make_network(config, 0, 1);
    for (const auto& [height, width] : {std::pair{50, 75}, {33, 101}}) {
      const auto out = network->forward(torch::randn({1, 3, height, width}));
      EXPECT_EQ(out.size(1), make_anchors(config.detector, height, width).centers.size(0)) << name;
    }
  }
}

// The row of an anchor tells of the place that the anchor has: with a head that passes on what lies
// at a location, a bright spot shows up in the rows of the anchors there and nowhere else.
TEST(Scrfd, RowsFollowTheAnchors) {
  auto config = small_detectors().at("mnv4").detector;
  config.head_depth = 0;
  config.anchor_scales = {1, 2};
  ScrfdHead head(config);
  randomize(head, 3);
  head.eval();
  const auto channels = config.neck_channels;
  std::vector<Tensor> maps = {torch::zeros({1, channels, 8, 12}), torch::zeros({1, channels, 4, 6}),
                              torch::zeros({1, channels, 2, 3})};
  const auto before = head.forward(maps);
  maps[1][0].select(1, 2).select(1, 5).fill_(1);  // level 1, row 2, column 5
  const auto changed =
      (head.forward(maps) - before).abs().amax({0, 2}).gt(1e-6).nonzero().flatten();
  const auto anchors = make_anchors(config, 64, 96);
  ASSERT_EQ(changed.size(0), 2);
  const auto centers = anchors.centers.index_select(0, changed);
  EXPECT_TRUE(centers.equal(torch::tensor({{80.F, 32.F}, {80.F, 32.F}})));
  const auto widths = anchors.boxes.index_select(0, changed);
  EXPECT_TRUE((widths.select(1, 2) - widths.select(1, 0)).equal(torch::tensor({64.F, 128.F})));
}

TEST(Scrfd, StartsNearlyEmpty) {
  auto config = reference_detector();
  config.detector.backbone = "mnv4_conv_small_050";
  const auto network = make_network(config, 0, 1);
  network->eval();
  const auto scores = torch::sigmoid(network->forward(torch::randn({1, 3, 64, 64})).select(2, 0));
  EXPECT_NEAR(scores.mean().item<double>(), 0.01, 2e-3);
}

TEST(Scrfd, SharedTowersAreOneModuleAndScalesAreApart) {
  const auto config = reference_detector();
  const auto network = make_network(config, 0, 1);
  const auto tensors = state_dict(*network);
  EXPECT_TRUE(tensors.contains("head.shared.tower.0.conv.weight"));
  EXPECT_EQ(tensors.at("head.scales").sizes(), (Shape{5}));
  EXPECT_FALSE(tensors.contains("head.level0.score.weight"));
}

// Gradients of a fresh network in training, and its output.
std::vector<torch::Tensor> training_step(const ModelConfig& config, torch::ScalarType type,
                                         bool plain) {
  std::optional<ops::PlainOps> guard;
  if (plain) guard.emplace();
  const auto network = make_network(config, 0, 5);
  randomize_norms(*network, 6);
  network->to(type);
  torch::manual_seed(7);
  const auto images =
      torch::randn({4, 3, 64, 96}).contiguous(at::MemoryFormat::ChannelsLast).to(type);
  const auto out = network->forward(images);
  const auto direction = torch::randn(out.sizes()).to(type);
  auto results = torch::autograd::grad({(out * direction).mean()}, network->parameters(), {}, {},
                                       false, /*allow_unused=*/true);
  results.push_back(out.detach());
  return results;
}

double distance(const std::vector<torch::Tensor>& results,
                const std::vector<torch::Tensor>& truth) {
  double apart = 0, size = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    if (!truth[i].defined()) continue;
    apart += (results[i].to(torch::kDouble) - truth[i]).square().sum().item<double>();
    size += truth[i].square().sum().item<double>();
  }
  return std::sqrt(apart / size);
}

// Maps of a few pixels and ReLUs near their kink carry a rounding far: what counts is that the
// fused kernels are no further from the truth than LibTorch's.
TEST(Scrfd, FusedTrainingIsAsExactAsPlain) {
  for (const auto& [name, config] : small_detectors()) {
    const auto truth = training_step(config, torch::kDouble, true);
    const auto fused = training_step(config, torch::kFloat, false);
    const auto plain = training_step(config, torch::kFloat, true);
    for (size_t i = 0; i < truth.size(); ++i) ASSERT_EQ(fused[i].defined(), truth[i].defined());
    EXPECT_LE(distance(fused, truth), 2 * distance(plain, truth) + 1e-6) << name;
    EXPECT_LE(distance(fused, truth), 0.02) << name;
  }
}

TEST(Scrfd, LivesInAModelFile) {
  for (const auto& [name, config] : small_detectors()) {
    const TempFolder folder;
    auto model = make_model(config, Region::load("cn"), 3);
    const auto file = folder.path() / "detector.safetensors";
    save_model(model, file);
    const auto loaded = load_model(file);
    EXPECT_EQ(loaded.config.detector.strides, config.detector.strides);
    EXPECT_EQ(loaded.config.detector.head_norm, config.detector.head_norm);
    const auto images = torch::randn({1, 3, 64, 64});
    model.network->eval(), loaded.network->eval();
    EXPECT_TRUE(model.network->forward(images).equal(loaded.network->forward(images))) << name;
  }
}

TEST(Scrfd, TakesTheWeightsOfAPublishedBackbone) {
  auto model = make_model(small_detectors().at("mnv4"), Region::load("cn"), 3);
  const auto owned = std::make_shared<MobileNetV4Classifier>("mnv4_conv_small_050");
  auto& published = *owned;
  published.initialize(8);
  auto weights = state_dict(published);
  const auto report = take_weights(model, weights, nullptr);
  EXPECT_NE(report.find("RGB to BGR"), std::string::npos) << report;
  for (const auto& [name, tensor] : state_dict(*model.network)) {
    if (!name.starts_with("backbone.")) continue;
    const auto& given = weights.at(name.substr(9));
    EXPECT_TRUE(tensor.equal(name == "backbone.conv_stem.weight" ? given.flip(1) : given)) << name;
  }
  const auto problem = [&] { return problem_of([&] { take_weights(model, weights, nullptr); }); };
  weights["bn1.bias"] = torch::zeros({7});
  EXPECT_NE(problem().find("'bn1.bias' is [7]"), std::string::npos);
  weights.erase("bn1.bias");
  EXPECT_NE(problem().find("lack 'bn1.bias'"), std::string::npos);
}

TEST(Scrfd, RefusesPartsThatDoNotFit) {
  const auto problem = [](const std::function<void(ModelConfig&)>& change) {
    auto config = small_detectors().at("mnv4");
    change(config);
    return problem_of([&] { make_network(config, 0); });
  };
  EXPECT_NE(problem([](auto& c) {
              c.detector.strides = {8, 16, 48};
            }).find("48 is not twice 16"),
            std::string::npos);
  EXPECT_NE(problem([](auto& c) { c.detector.strides = {8}; }).find("at least two"),
            std::string::npos);
  EXPECT_NE(problem([](auto& c) { c.detector.anchor_sizes = {16}; }).find("anchor_sizes"),
            std::string::npos);
  EXPECT_NE(problem([](auto& c) { c.width_multiplier = 0.5; }).find("width_multiplier"),
            std::string::npos);
  EXPECT_NE(problem([](auto& c) {
              c.detector.strides = {64, 128}, c.detector.anchor_sizes = {1, 1};
            }).find("at least one of the strides"),
            std::string::npos);
  EXPECT_NE(problem_of([] { time_steps(small_detectors().at("mnv4")); }).find("no output steps"),
            std::string::npos);
}

TEST(Anchors, LieOnTheStridesAndHaveTheirSizes) {
  DetectorConfig config;
  config.anchor_ratio = 4;
  const auto anchors = make_anchors(config, 64, 96);
  EXPECT_EQ(anchors.level_sizes, (std::vector<int64_t>{8 * 12 * 2, 4 * 6 * 2, 2 * 3 * 2}));
  EXPECT_EQ(anchors.centers.size(0), 192 + 48 + 12);
  // Level 0, row 1, column 2, second scale: 32 px squared in area, four times as wide as high.
  const auto row = (1 * 12 + 2) * 2 + 1;
  EXPECT_TRUE(anchors.centers[row].equal(torch::tensor({16.F, 8.F})));
  EXPECT_TRUE(
      torch::allclose(anchors.boxes[row], torch::tensor({16.F - 32, 8.F - 8, 16.F + 32, 8.F + 8})));
  EXPECT_EQ(anchors.strides[row].item<float>(), 8);
  EXPECT_EQ(anchors.strides[-1].item<float>(), 32);
  EXPECT_EQ(make_anchors(config, 65, 96).level_sizes[0], 9 * 12 * 2);
}

}  // namespace
}  // namespace plateforge
