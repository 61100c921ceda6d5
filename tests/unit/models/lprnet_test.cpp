#include "models/lprnet.h"

#include <gtest/gtest.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/module.h>
#include <torch/optim/adamw.h>

#include "configs/error.h"

namespace plateforge {
namespace {

constexpr int64_t kClasses = 68;

torch::Tensor pictures(int64_t n, int64_t height = 24, int64_t width = 94) {
  const auto index = torch::arange(n * 3 * height * width);
  return ((index * 7919).remainder(256).to(torch::kFloat) - 127.5).reshape({n, 3, height, width}) /
         128;
}

// The names and shapes of the published file, in its order: renaming one breaks every saved model.
TEST(LprNet, HasThePublishedTensors) {
  const auto network = make_network({}, kClasses);
  std::string list;
  for (const auto& item : network->named_parameters())
    list += c10::str(item.key(), " ", item.value().sizes(), "\n");
  EXPECT_EQ(list,
            "backbone.0.weight [64, 3, 3, 3]\nbackbone.0.bias [64]\n"
            "backbone.1.weight [64]\nbackbone.1.bias [64]\n"
            "backbone.4.block.0.weight [32, 64, 1, 1]\nbackbone.4.block.0.bias [32]\n"
            "backbone.4.block.2.weight [32, 32, 3, 1]\nbackbone.4.block.2.bias [32]\n"
            "backbone.4.block.4.weight [32, 32, 1, 3]\nbackbone.4.block.4.bias [32]\n"
            "backbone.4.block.6.weight [128, 32, 1, 1]\nbackbone.4.block.6.bias [128]\n"
            "backbone.5.weight [128]\nbackbone.5.bias [128]\n"
            "backbone.8.block.0.weight [64, 64, 1, 1]\nbackbone.8.block.0.bias [64]\n"
            "backbone.8.block.2.weight [64, 64, 3, 1]\nbackbone.8.block.2.bias [64]\n"
            "backbone.8.block.4.weight [64, 64, 1, 3]\nbackbone.8.block.4.bias [64]\n"
            "backbone.8.block.6.weight [256, 64, 1, 1]\nbackbone.8.block.6.bias [256]\n"
            "backbone.9.weight [256]\nbackbone.9.bias [256]\n"
            "backbone.11.block.0.weight [64, 256, 1, 1]\nbackbone.11.block.0.bias [64]\n"
            "backbone.11.block.2.weight [64, 64, 3, 1]\nbackbone.11.block.2.bias [64]\n"
            "backbone.11.block.4.weight [64, 64, 1, 3]\nbackbone.11.block.4.bias [64]\n"
            "backbone.11.block.6.weight [256, 64, 1, 1]\nbackbone.11.block.6.bias [256]\n"
            "backbone.12.weight [256]\nbackbone.12.bias [256]\n"
            "backbone.16.weight [256, 64, 1, 4]\nbackbone.16.bias [256]\n"
            "backbone.17.weight [256]\nbackbone.17.bias [256]\n"
            "backbone.20.weight [68, 256, 13, 1]\nbackbone.20.bias [68]\n"
            "backbone.21.weight [68]\nbackbone.21.bias [68]\n"
            "container.0.weight [68, 516, 1, 1]\ncontainer.0.bias [68]\n");
  EXPECT_EQ(count_parameters(*network), 446976);
  EXPECT_EQ(network->buffers().size(), 18U);
}

TEST(LprNet, TransformerAddsWhatItsAuthorsCounted) {
  EXPECT_EQ(count_parameters(*make_network({.stn = true}, kClasses)), 446976 + 55430);
}

// Zero weights and an identity bias: a fresh transformer changes the picture by rounding only.
TEST(LprNet, FreshTransformerIsTheIdentity) {
  SpatialTransformer stn(24, 94);
  stn.reset_to_identity();
  const auto images = pictures(2);
  EXPECT_TRUE(torch::allclose(stn.forward(images), images, 1e-4, 1e-4));
}

struct Variant {
  ModelConfig config;
  int64_t steps;
};

TEST(LprNet, EveryVariantEmitsItsTimeSteps) {
  const Variant variants[] = {{{}, 18},
                              {{.stn = true}, 18},
                              {{.width_multiplier = 0.5}, 18},
                              {{.width = 128, .height = 32}, 27},
                              {{.width = 23, .height = 21}, 1},
                              {{.head = "t88"}, 88},
                              {{.width = 64, .height = 48, .head = "t88"}, 58}};
  for (const auto& [config, steps] : variants) {
    const auto network = make_network(config, 40);
    network->eval();
    EXPECT_EQ(time_steps(config), steps);
    const auto logits = network->forward(pictures(2, config.height, config.width));
    EXPECT_EQ(logits.sizes(), (std::vector<int64_t>{2, 40, steps}));
    EXPECT_TRUE(logits.isfinite().all().item<bool>());
  }
}

TEST(LprNet, RefusesWhatItCannotBuild) {
  EXPECT_THROW(make_network({.name = "resnet"}, kClasses), Error);
  EXPECT_THROW(make_network({.width = 22}, kClasses), Error);
  EXPECT_THROW(make_network({.height = 20}, kClasses), Error);
}

TEST(LprNet, SeedDecidesTheWeights) {
  const auto first = make_network({}, kClasses, 7)->parameters();
  const auto again = make_network({}, kClasses, 7)->parameters();
  const auto other = make_network({}, kClasses, 8)->parameters();
  for (size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(first[i].equal(again[i]));
  EXPECT_FALSE(first[0].equal(other[0]));
}

// A plate's logits depend on its neighbours only with the published normaliser.
TEST(LprNet, ContextIsPerPlateByDefault) {
  for (const auto* context : {"per_sample", "whole_batch"}) {
    const auto network = make_network({.context = context}, kClasses, 3);
    network->eval();
    const auto image = pictures(1);
    const auto alone = network->forward(image);
    const auto beside =
        network->forward(torch::cat({image, torch::zeros_like(image)})).slice(0, 0, 1);
    EXPECT_EQ(torch::allclose(alone, beside, 1e-3, 1e-3), std::string(context) == "per_sample");
  }
}

TEST(LprNet, LearnsOneBatch) {
  const auto network = make_network({.dropout = 0}, 12, 5);
  const auto images = pictures(4);
  const auto targets = torch::arange(4 * 18).remainder(12).reshape({4, 18});
  torch::optim::AdamW optimizer(network->parameters(), 3e-3);
  double first = 0, last = 0;
  for (int step = 0; step < 30; ++step) {
    optimizer.zero_grad();
    const auto loss = torch::nn::functional::cross_entropy(network->forward(images), targets);
    loss.backward();
    optimizer.step();
    (step == 0 ? first : last) = loss.item<double>();
  }
  EXPECT_LT(last, 0.3 * first);
}

TEST(Normalize, MapsPixelsToThePublishedRange) {
  const auto pixels = torch::tensor({0, 127, 255}, torch::kByte).reshape({1, 3, 1, 1});
  const auto expected = torch::tensor({-127.5F, -0.5F, 127.5F}).reshape({1, 3, 1, 1}) / 128;
  EXPECT_TRUE(normalize(pixels).equal(expected));
}

}  // namespace
}  // namespace plateforge
