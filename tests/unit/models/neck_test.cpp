#include "models/neck.h"

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/utils.h>

#include "models/bifpn.h"
#include "models/network.h"
#include "models/ops/layers.h"
#include "models/pafpn.h"
#include "models/scrfd_backbones.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

using torch::Tensor;

int64_t count(const torch::nn::Module& module) {
  int64_t total = 0;
  for (const auto& parameter : module.parameters()) total += parameter.numel();
  return total;
}

const std::vector<Level> kReference = {{4, 48}, {8, 80}, {16, 160}};

// gfickel/alpr's neck.
TEST(BiFpn, HasTheReferencesParameters) {
  const BiFpnOptions options{5, 64, 3, Fusion::sum, Activation::hard_swish};
  EXPECT_EQ(count(BiFpn(kReference, options)), 161'920);
  // Two weights in the 5 nodes of two inputs, three in the 3 of three.
  BiFpnOptions fast = options;
  fast.fusion = Fusion::fast;
  EXPECT_EQ(count(BiFpn(kReference, fast)), 161'920 + 3 * (5 * 2 + 3 * 3));
}

std::vector<Tensor> pyramid(const std::vector<Level>& levels, int64_t height, int64_t width) {
  std::vector<Tensor> maps;
  for (const auto& level : levels) {
    const auto cells = [&](int64_t extent) { return (extent + level.stride - 1) / level.stride; };
    maps.push_back(torch::randn({2, level.channels, cells(height), cells(width)}));
  }
  return maps;
}

TEST(Necks, TakeAnyInputSize) {
  for (const auto& [height, width] : {std::pair{64, 96}, {65, 97}, {33, 1}, {100, 224}}) {
    for (const size_t levels : {2, 3, 5}) {
      const std::vector<Level> backbone(kReference.begin(),
                                        kReference.begin() + std::min<int64_t>(3, levels));
      BiFpn bifpn(backbone, {levels, 16, 2, Fusion::softmax, Activation::relu});
      PaFpn pafpn(backbone, levels, 16);
      const auto maps = pyramid(backbone, height, width);
      for (Neck* neck : {static_cast<Neck*>(&bifpn), static_cast<Neck*>(&pafpn)}) {
        const auto out = neck->forward(maps);
        ASSERT_EQ(out.size(), levels);
        for (size_t i = 0; i < levels; ++i) {
          const auto stride = int64_t{4} << i;
          EXPECT_EQ(out[i].sizes(),
                    (Shape{2, 16, (height + stride - 1) / stride, (width + stride - 1) / stride}));
        }
      }
    }
  }
}

// Each level reaches each: a change at one end is seen at the other.
TEST(Necks, ConnectAllLevels) {
  BiFpn bifpn({{8, 16}, {16, 16}, {32, 16}}, {3, 16, 1, Fusion::sum, Activation::hard_swish});
  PaFpn pafpn({{8, 16}, {16, 16}, {32, 16}}, 3, 16);
  for (Neck* neck : {static_cast<Neck*>(&bifpn), static_cast<Neck*>(&pafpn)}) {
    randomize(*neck, 4);
    neck->eval();
    const auto maps = pyramid({{8, 16}, {16, 16}, {32, 16}}, 32, 32);
    const auto before = neck->forward(maps);
    for (size_t changed = 0; changed < 3; ++changed) {
      auto other = maps;
      other[changed] = maps[changed] + 1;
      const auto after = neck->forward(other);
      for (size_t level = 0; level < 3; ++level)
        EXPECT_GT((after[level] - before[level]).abs().max().item<float>(), 1e-3)
            << changed << " -> " << level;
    }
  }
}

// One node by hand: shares 1 : 3 with a third weight below zero, which relu leaves out.
TEST(BiFpnNode, AddsInTheSharesOfItsWeights) {
  const torch::NoGradGuard no_grad;
  for (const auto fusion : {Fusion::fast, Fusion::softmax}) {
    BiFpnNode node({8, 8, 8}, {3, 8, 1, fusion, Activation::relu});
    node.eval();
    auto weights = node.named_parameters()["weights"];
    weights.copy_(torch::tensor({1.F, 3.F, -2.F}));
    BiFpnNode sum({8}, {3, 8, 1, Fusion::sum, Activation::relu});
    sum.eval();
    for (auto& item : sum.named_parameters())
      item.value().copy_(node.named_parameters()[item.key()]);
    const auto a = torch::rand({1, 8, 4, 4}), b = torch::rand({1, 8, 4, 4}),
               c = torch::rand({1, 8, 4, 4});
    const auto shares = fusion == Fusion::fast ? torch::tensor({1.F, 3.F, 0.F}) / (4 + 1e-4)
                                               : torch::exp(weights) / torch::exp(weights).sum();
    const auto mixed = a * shares[0] + b * shares[1] + c * shares[2];
    EXPECT_TRUE(torch::allclose(node.forward({a, b, c}), sum.forward({mixed}), 1e-5, 1e-6));
  }
}

TEST(Resampling, KeepsCornersAndRoundsUp) {
  const auto coarse = torch::arange(4, torch::kFloat).reshape({1, 1, 2, 2});
  const auto up = up_to(coarse, torch::zeros({1, 1, 3, 4}));
  const auto expected = torch::tensor({0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3}, torch::kFloat);
  EXPECT_TRUE(up.equal(expected.reshape({1, 1, 3, 4})));
  EXPECT_EQ(halved(torch::zeros({1, 1, 5, 4})).sizes(), (Shape{1, 1, 3, 2}));
}

// The published detectors count 0.57 M and 0.82 M with five points; their backbones are these.
TEST(ScrfdBackbones, HaveTheSearchedChannels) {
  const auto small = make_scrfd_500m({8, 16, 32}, false),
             large = make_scrfd_2g5({8, 16, 32}, false);
  EXPECT_EQ(small->levels()[2].channels, 288);
  EXPECT_EQ(large->levels()[0].channels, 48);
  for (const auto& backbone : {small, large}) {
    const auto maps = backbone->forward(torch::randn({1, 3, 67, 130}));
    EXPECT_EQ(maps[0].sizes().slice(2), (Shape{9, 17}));
    EXPECT_EQ(maps[2].sizes().slice(2), (Shape{3, 5}));
  }
}

}  // namespace
}  // namespace plateforge
