#include "models/graph/trace.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/conv.h>
#include <torch/utils.h>

#include "configs/error.h"
#include "models/graph/execute.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

void expect_same(const torch::Tensor& expected, const torch::Tensor& got) {
  ASSERT_EQ(expected.sizes(), got.sizes());
  EXPECT_TRUE(torch::allclose(expected, got, 1e-5, 1e-5))
      << "largest difference " << (expected - got).abs().max().item<float>();
}

torch::Tensor forward_at_rest(Network& network, const torch::Tensor& images) {
  const torch::NoGradGuard no_grad;
  network.eval();
  return network.forward(images);
}

TEST(Trace, DumpIsThePictureOfTheNetwork) {
  PlainCnn network(4);
  EXPECT_EQ(dump(trace(network, {1, 3, 8, 8})),
            R"(input images [1, 3, 8, 8]
clamp clamp(images) -> [1, 3, 8, 8] low=-1 high=2
conv body.0(clamp, body.0.weight) -> [1, 4, 8, 8] stride=[1, 1] padding=[1, 1] dilation=[1, 1] groups=1 macs=6912 parameters=108
batch_norm body.1(body.0, body.1.weight, body.1.bias, body.1.running_mean, body.1.running_var) -> [1, 4, 8, 8] epsilon=1e-05 parameters=8
relu relu(body.1) -> [1, 4, 8, 8]
max_pool max_pool(relu) -> [1, 4, 4, 4] kernel=[2, 2] stride=[2, 2] padding=[0, 0]
identity identity(max_pool) -> [1, 4, 4, 4]
conv body.5(identity, body.5.weight, body.5.bias) -> [1, 4, 2, 2] stride=[1, 1] padding=[0, 0] dilation=[1, 1] groups=4 macs=144 parameters=40
batch_norm body.6(body.5, body.6.weight, body.6.bias, body.6.running_mean, body.6.running_var) -> [1, 4, 2, 2] epsilon=1e-05 parameters=8
clamp clamp_2(body.6) -> [1, 4, 2, 2] low=0 high=6
avg_pool avg_pool(clamp_2) -> [1, 4, 1, 1] kernel=[2, 2] stride=[2, 2] padding=[0, 0] count_padding=true
reshape reshape(avg_pool) -> [1, 4] shape=[1, 4]
linear head(reshape, head.weight, head.bias) -> [1, 5] macs=20 parameters=25
log_softmax log_softmax(head) -> [1, 5] axis=1
output log_softmax
)");
}

TEST(Trace, GraphComputesWhatTheNetworkComputes) {
  PlainCnn plain;
  ContextCnn context(7);
  NormedTokens tokens;
  randomize(plain, 1);
  randomize(context, 2);
  randomize(tokens, 3);
  const auto images = torch::randn({3, 3, 12, 20});
  for (Network* network : {static_cast<Network*>(&plain), static_cast<Network*>(&context),
                           static_cast<Network*>(&tokens)}) {
    const auto graph = trace(*network, {3, 3, 12, 20});
    expect_same(forward_at_rest(*network, images), execute(graph, {images})[0]);
  }
}

TEST(Trace, LeavesTheModuleAsItWas) {
  PlainCnn network;
  network.train();
  network.body->ptr(1)->eval();  // a frozen norm stays frozen
  network.head->weight.requires_grad_(false);
  trace(network, {1, 3, 8, 8});
  EXPECT_TRUE(network.is_training());
  EXPECT_TRUE(network.head->is_training());
  EXPECT_FALSE(network.body->ptr(1)->is_training());
  EXPECT_FALSE(network.head->weight.requires_grad());
  EXPECT_TRUE(network.head->bias.requires_grad());
}

TEST(Trace, OpenBatchRunsAtAnyBatch) {
  ContextCnn network(6);
  randomize(network, 3);
  const auto graph = trace(network, {-1, 3, 9, 20});
  EXPECT_EQ(graph.shape(graph.outputs[0]), (Shape{-1, 7, 16}));
  for (const int64_t batch : {1, 5}) {
    const auto images = torch::randn({batch, 3, 9, 20});
    expect_same(forward_at_rest(network, images), execute(graph, {images})[0]);
  }
}

struct Unsupported : Network {
  torch::nn::Conv2d conv{register_module("stem", torch::nn::Conv2d(3, 2, 1))};
  torch::Tensor forward(const torch::Tensor& images) override {
    return torch::fft_fft(conv(images)).abs();
  }
};

TEST(Trace, UnknownOperationIsOneErrorWithItsPlace) {
  Unsupported network;
  try {
    trace(network, {1, 3, 4, 4});
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("cannot trace aten::fft_fft, which reads stem; the graph knows:"),
              std::string::npos)
        << text;
  }
}

struct UnsupportedActivation : Network {
  torch::nn::Conv2d conv{register_module("stem", torch::nn::Conv2d(3, 2, 1))};
  torch::Tensor forward(const torch::Tensor& images) override {
    return torch::mish(torch::relu(conv(images)));
  }
};

TEST(Trace, UnknownOperationNamesTheLayerBeforeItAndTheNearestSupportedForm) {
  UnsupportedActivation network;
  try {
    trace(network, {1, 3, 4, 4});
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("cannot trace aten::mish, which reads relu behind stem; nearest supported: "
                        "silu or hardswish; the graph knows:"),
              std::string::npos)
        << text;
  }
}

struct Shared : Network {
  torch::nn::Conv2d conv{register_module("conv", torch::nn::Conv2d(3, 3, 1))};
  torch::Tensor forward(const torch::Tensor& images) override { return conv(conv(images)) * 2; }
};

TEST(Trace, SharedWeightIsOneTensor) {
  Shared network;
  const auto graph = trace(network, {1, 3, 4, 4});
  ASSERT_EQ(graph.nodes.size(), 3U);
  EXPECT_EQ(graph.nodes[0].inputs[1], graph.nodes[1].inputs[1]);
  EXPECT_EQ(graph.nodes[1].name, "conv_2");
  EXPECT_EQ(parameters(graph), 12);
}

}  // namespace
}  // namespace plateforge
