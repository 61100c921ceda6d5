#include <gtest/gtest.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

#include "models/graph/execute.h"
#include "models/graph/passes.h"
#include "models/graph/trace.h"
#include "models/mobilenet_v4.h"
#include "tests/support/detectors.h"
#include "tests/support/problem.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

void expect_graph_equals(Network& network, const Shape& declared, const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  network.eval();
  auto graph = trace(network, declared);
  const auto expected = network.forward(images);
  EXPECT_EQ(parameters(graph) > 0, true);
  for (const bool simplified : {false, true}) {
    if (simplified) simplify(graph);
    const auto got = execute(graph, {images})[0];
    ASSERT_EQ(expected.sizes(), got.sizes());
    const auto scale = expected.abs().max().item<float>();
    EXPECT_LE((expected - got).abs().max().item<float>(), 2e-5 * scale + 1e-6) << simplified;
  }
}

TEST(DetectorGraph, ComputesWhatTheNetworkComputes) {
  for (const auto& [name, config] : small_detectors()) {
    SCOPED_TRACE(name);
    const auto network = make_network(config, 0, 2);
    randomize_norms(*network, 3);
    expect_graph_equals(*network, {-1, 3, 64, 96}, torch::randn({2, 3, 64, 96}));
    expect_graph_equals(*network, {1, 3, 51, 75}, torch::randn({1, 3, 51, 75}));
  }
}

TEST(DetectorGraph, TracesEveryMobileNetV4) {
  for (const char* name :
       {"mnv4_conv_small", "mnv4_conv_small_050", "mnv4_conv_medium", "mnv4_hybrid_medium"}) {
    SCOPED_TRACE(name);
    const auto owned = std::make_shared<MobileNetV4Classifier>(name);
    auto& network = *owned;
    network.initialize(4);
    randomize_norms(network, 5);
    expect_graph_equals(network, {-1, 3, 64, 64}, torch::randn({3, 3, 64, 64}));
  }
}

// Per stage: stem 10.8 M, then 32.1, 26.5, 60.3, 47.7 and 6.0 M, and the head's two products.
TEST(DetectorGraph, CountsMobileNetsProducts) {
  const auto owned = std::make_shared<MobileNetV4Classifier>("mnv4_conv_small");
  auto& network = *owned;
  const auto total = macs(trace(network, {1, 3, 224, 224}));
  EXPECT_NEAR(static_cast<double>(total - 960 * 1280 - 1280 * 1000) / 1e6, 183.5, 0.2);
}

TEST(Trace, UpSamplingIsANodeWithWholeFactors) {
  PyramidCnn network;
  randomize(network, 6);
  EXPECT_NE(dump(trace(network, {1, 3, 8, 12}))
                .find("upsample upsample(relu_2) -> [1, 8, 8, 12] factor=[2, 2]"),
            std::string::npos);
  expect_graph_equals(network, {-1, 3, 8, 12}, torch::randn({3, 3, 8, 12}));
  struct Fraction : Network {
    torch::Tensor forward(const torch::Tensor& x) override {
      return torch::upsample_nearest2d(x, {x.size(2) * 3 / 2, x.size(3)});
    }
  } fraction;
  EXPECT_NE(problem_of([&] {
              trace(fraction, {1, 3, 4, 4});
            }).find("not whole"),
            std::string::npos);
}

TEST(Trace, GroupNormIsAComposition) {
  struct Widened : Network {
    Widened() {
      conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 12, 1)));
      norm = register_module("norm", torch::nn::GroupNorm(3, 12));
    }
    torch::Tensor forward(const torch::Tensor& x) override { return norm(conv(x)); }
    torch::nn::Conv2d conv{nullptr};
    torch::nn::GroupNorm norm{nullptr};
  } network;
  randomize(network, 7);
  expect_graph_equals(network, {-1, 3, 5, 7}, torch::randn({2, 3, 5, 7}));
}

}  // namespace
}  // namespace plateforge
