#include "models/mobilenet_v4.h"

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/utils.h>

#include <cmath>

#include "models/graph/ops.h"
#include "models/model_file.h"
#include "tests/support/problem.h"

namespace plateforge {
namespace {

using torch::Tensor;

int64_t count(const torch::nn::Module& module) {
  int64_t total = 0;
  for (const auto& parameter : module.parameters()) total += parameter.numel();
  return total;
}

int64_t count_body(const char* name, bool whole) {
  return count(MobileNetV4(mobilenet_v4_table(name), {4, 8, 16, 32}, whole));
}

// timm's counts, and those of the TensorFlow Model Garden for Conv-Small.
TEST(MobileNetV4, HasThePublishedParameters) {
  EXPECT_EQ(count(MobileNetV4Classifier("mnv4_conv_small")), 3'774'024);
  EXPECT_EQ(count(MobileNetV4Classifier("mnv4_conv_small_050")), 2'238'952);
  EXPECT_EQ(count(MobileNetV4Classifier("mnv4_conv_medium")), 9'715'512);
  EXPECT_EQ(count(MobileNetV4Classifier("mnv4_hybrid_medium")), 11'074'648);
  EXPECT_EQ(count_body("mnv4_conv_small", true), 1'261'664);
  EXPECT_EQ(count_body("mnv4_conv_small", false), 1'136'864);
  EXPECT_EQ(count_body("mnv4_hybrid_medium", true), 8'562'288);
}

TEST(MobileNetV4, HasTimmsNames) {
  const auto names = state_dict(MobileNetV4Classifier("mnv4_hybrid_medium"));
  for (const char* name :
       {"conv_stem.weight", "bn1.running_var", "blocks.0.0.conv_exp.weight", "blocks.0.0.bn2.bias",
        "blocks.1.0.dw_start.conv.weight", "blocks.1.0.layer_scale.gamma", "blocks.2.4.norm.weight",
        "blocks.2.4.attn.query.proj.weight", "blocks.2.4.attn.key.down_conv.weight",
        "blocks.2.4.attn.value.norm.running_mean", "blocks.3.15.pw_proj.bn.num_batches_tracked",
        "blocks.4.0.conv.weight", "blocks.4.0.bn1.weight", "conv_head.weight", "norm_head.weight",
        "classifier.bias"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(MobileNetV4, RoundsChannelsToEights) {
  EXPECT_EQ(round_channels(48), 48);
  EXPECT_EQ(round_channels(30), 32);
  EXPECT_EQ(round_channels(2), 8);
  EXPECT_EQ(round_channels(11.2), 16);  // 8 would lose more than a tenth
}

TEST(MobileNetV4, TapsTheNarrowMapsAtTheirStrides) {
  MobileNetV4 body(mobilenet_v4_table("mnv4_conv_small"), {8, 16, 32}, false);
  const auto maps = body.forward(torch::randn({2, 3, 65, 97}));
  ASSERT_EQ(maps.size(), 3U);
  EXPECT_EQ(maps[0].sizes(), (Shape{2, 64, 9, 13}));
  EXPECT_EQ(maps[1].sizes(), (Shape{2, 96, 5, 7}));
  EXPECT_EQ(maps[2].sizes(), (Shape{2, 128, 3, 4}));
  EXPECT_EQ(body.levels()[2].channels, 128);
}

// A stage that nothing taps is not computed, but has weights when it is wanted.
TEST(MobileNetV4, KeepsStagesBehindTheLastTapOnlyOnRequest) {
  MobileNetV4 cut(mobilenet_v4_table("mnv4_conv_small"), {4, 8}, false);
  MobileNetV4 whole(mobilenet_v4_table("mnv4_conv_small"), {4, 8}, true);
  EXPECT_FALSE(state_dict(cut).contains("blocks.2.0.pw_exp.conv.weight"));
  EXPECT_TRUE(state_dict(whole).contains("blocks.4.0.conv.weight"));
  EXPECT_EQ(whole.forward(torch::randn({1, 3, 32, 32})).size(), 2U);
}

TEST(MobileNetV4, StartsWithFanOutOfAGroup) {
  const auto owned = std::make_shared<MobileNetV4Classifier>("mnv4_conv_small");
  auto& network = *owned;
  network.initialize(3);
  const auto tensors = state_dict(network);
  const auto spread = [&](const char* name) {
    return tensors.at(name).std(/*unbiased=*/false).item<double>();
  };
  EXPECT_NEAR(spread("conv_head.weight"), std::sqrt(2.0 / 1280), 2e-4);
  EXPECT_NEAR(spread("blocks.2.1.dw_mid.conv.weight"), std::sqrt(2.0 / 9), 2e-2);
  EXPECT_TRUE(tensors.at("bn1.weight").eq(1).all().item<bool>());
  EXPECT_TRUE(tensors.at("classifier.bias").eq(0).all().item<bool>());
  const auto other = std::make_shared<MobileNetV4Classifier>("mnv4_conv_small");
  auto& again = *other;
  again.initialize(3);
  for (const auto& [name, tensor] : state_dict(again))
    EXPECT_TRUE(tensor.equal(tensors.at(name))) << name;
}

TEST(MobileNetV4, AttentionEqualsFourSeparateHeads) {
  torch::manual_seed(1);
  const auto owned = std::make_shared<MobileNetV4Classifier>("mnv4_hybrid_medium");
  auto& network = *owned;
  network.initialize(5);
  network.eval();
  const torch::NoGradGuard no_grad;
  const auto tensors = state_dict(network);
  const auto& block =
      network.body().named_children()["blocks"]->named_children()["3"]->named_children()["8"];
  const auto x = torch::randn({2, 256, 3, 4});
  const auto weight = [&](const std::string& name) {
    return tensors.at("blocks.3.8." + name + ".weight");
  };
  const auto normed = x / std::sqrt(1 + 1e-5);
  const auto project = [&](const char* part) {
    return torch::conv2d(normed, weight(std::string("attn.") + part + ".proj")).flatten(2);
  };
  const auto q = project("query"), k = project("key"), v = project("value");
  std::vector<Tensor> heads;
  for (int64_t head = 0; head < 4; ++head) {
    const auto own = q.slice(1, 64 * head, 64 * (head + 1));
    const auto share = (torch::matmul(own.transpose(1, 2), k) / 8).softmax(2);
    heads.push_back(torch::matmul(share, v.transpose(1, 2)).transpose(1, 2));
  }
  const auto mixed = torch::cat(heads, 1).reshape({2, 256, 3, 4});
  const auto expected = x + 1e-5 * torch::conv2d(mixed, weight("attn.output.proj"));
  const auto got = dynamic_cast<MnV4Block&>(*block).forward(x);
  EXPECT_TRUE(torch::allclose((got - x) * 1e5, (expected - x) * 1e5, 1e-2, 1e-2));
}

TEST(MobileNetV4, RefusesWhatItDoesNotKnow) {
  EXPECT_NE(problem_of([] { mobilenet_v4_table("mnv4_conv_large"); }).find("mnv4_conv_medium"),
            std::string::npos);
  EXPECT_NE(problem_of([] { tapped_stages({8, 64}); }).find("stride 64"), std::string::npos);
}

}  // namespace
}  // namespace plateforge
