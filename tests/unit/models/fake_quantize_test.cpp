#include "models/ops/fake_quantize.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "models/graph_network.h"

namespace plateforge::ops {
namespace {

using torch::Tensor;

struct Case {
  const char* name;
  op::FakeQuantize op;
  Tensor x, scale, zero_point;
};

std::vector<Case> cases() {
  torch::manual_seed(5);
  const auto picture =
      (torch::randn({3, 8, 7, 9}) * 40).contiguous(torch::MemoryFormat::ChannelsLast);
  const auto weight = torch::randn({6, 5, 3, 3});
  return {{"u8", {0, 255, -1}, picture, torch::tensor(0.31F), torch::tensor(90, torch::kInt)},
          {"s8", {-128, 127, -1}, picture, torch::tensor(0.7F), torch::tensor(0, torch::kInt)},
          {"channels",
           {-127, 127, 0},
           weight,
           torch::linspace(0.002, 0.02, 6),
           torch::zeros({6}, torch::kInt)}};
}

// LibTorch's own, which divides by multiplying with the inverse: values that lie within rounding of
// the middle between two steps may land on either.
Tensor reference(const Case& c, const Tensor& x) {
  return c.op.axis < 0
             ? torch::fake_quantize_per_tensor_affine(x, c.scale, c.zero_point, c.op.low, c.op.high)
             : torch::fake_quantize_per_channel_affine(x, c.scale, c.zero_point, c.op.axis,
                                                       c.op.low, c.op.high);
}

TEST(FakeQuantizeKernel, EqualsLibTorch) {
  for (const auto& c : cases()) {
    const auto x = c.x.clone().requires_grad_(), same = c.x.clone().requires_grad_();
    const auto y = fake_quantize(c.op, x, c.scale, c.zero_point), expected = reference(c, same);
    EXPECT_TRUE(torch::allclose(y, expected, 1e-5, 1e-5)) << c.name;
    EXPECT_EQ(y.strides(), expected.strides()) << c.name;
    const auto dy = torch::randn_like(y);
    y.backward(dy), expected.backward(dy);
    EXPECT_TRUE(torch::equal(x.grad(), same.grad())) << c.name;
    EXPECT_GT((x.grad() == 0).sum().item<int64_t>(), 0) << c.name << " clamps nothing";
  }
}

TEST(FakeQuantizeKernel, ScaleGetsTheGradientOfLsq) {
  for (const auto& c : cases()) {
    const auto scale = c.scale.clone().requires_grad_();
    const auto dy = torch::randn_like(c.x);
    fake_quantize(c.op, c.x.clone().requires_grad_(), scale, c.zero_point).backward(dy);
    const auto shape = c.op.axis < 0 ? std::vector<int64_t>{} : std::vector<int64_t>{-1, 1, 1, 1};
    const auto s = c.scale.reshape(shape).to(torch::kDouble);
    const auto z = c.zero_point.reshape(shape).to(torch::kDouble);
    const auto v = c.x.to(torch::kDouble) / s, low = c.op.low - z, high = c.op.high - z;
    const auto slope =
        torch::where(v.round() < low, low.expand_as(v),
                     torch::where(v.round() > high, high.expand_as(v), v.round() - v));
    const auto per_scale = static_cast<double>(c.x.numel() / c.scale.numel());
    auto expected = dy.to(torch::kDouble) * slope / (per_scale * high).sqrt();
    expected = c.op.axis < 0 ? expected.sum() : expected.sum({1, 2, 3});
    EXPECT_TRUE(torch::allclose(scale.grad().to(torch::kDouble), expected, 1e-4, 1e-5))
        << c.name << " " << scale.grad() << expected;
  }
}

TEST(FakeQuantizeKernel, IsBitEqualForAnyNumberOfThreads) {
  const auto before = at::get_num_threads();
  for (const auto& c : cases()) {
    std::vector<Tensor> gradients;
    for (const int threads : {1, 2}) {
      at::set_num_threads(threads);
      torch::manual_seed(8);
      const auto scale = c.scale.clone().requires_grad_();
      fake_quantize(c.op, c.x, scale, c.zero_point).backward(torch::randn_like(c.x));
      gradients.push_back(scale.grad());
    }
    EXPECT_TRUE(torch::equal(gradients[0], gradients[1])) << c.name;
  }
  at::set_num_threads(before);
}

TEST(FakeQuantizeKernel, TiesGoToEvenAndNanStays) {
  const auto x = torch::tensor({0.5F, 1.5F, 2.5F, -0.5F, NAN});
  const auto y =
      fake_quantize({-128, 127, -1}, x, torch::tensor(1.0F), torch::tensor(0, torch::kInt));
  EXPECT_TRUE(torch::equal(y.slice(0, 0, 4), torch::tensor({0.0F, 2.0F, 2.0F, 0.0F}))) << y;
  EXPECT_TRUE(std::isnan(y[4].item<float>()));
}

// conv, relu, u8 quantiser: the ReLU is not run, the answer and the gradients are the same.
TEST(FakeQuantizeGraph, ReluBeforeAnUnsignedRangeIsFree) {
  const auto network = [](bool relu, bool shifted) {
    torch::manual_seed(4);
    Graph graph;
    graph.inputs = {graph.add_tensor("x", {-1, 3, 6, 6}, Origin::input)};
    const auto weight =
        graph.add_tensor("c.weight", {4, 3, 1, 1}, Origin::parameter, torch::randn({4, 3, 1, 1}));
    const Shape shape{-1, 4, 6, 6};
    auto y =
        graph.add_node(op::Conv{{1, 1}, {0, 0}, {1, 1}, 1}, "c", {graph.inputs[0], weight}, shape);
    if (relu) y = graph.add_node(op::Relu{}, "relu", {y}, shape);
    const auto scale = graph.add_tensor("s", {}, Origin::buffer, torch::tensor(0.01F));
    const auto zero =
        graph.add_tensor("z", {}, Origin::buffer, torch::tensor(shifted ? 3 : 0, torch::kInt));
    graph.outputs = {graph.add_node(op::FakeQuantize{0, 255, -1}, "q", {y, scale, zero}, shape)};
    return std::make_shared<GraphNetwork>(graph);
  };
  const auto x = torch::randn({2, 3, 6, 6});
  const auto gradient = [&](const std::shared_ptr<GraphNetwork>& net) {
    net->forward(x).square().sum().backward();
    return net->parameters()[0].grad();
  };
  const auto plain = network(false, false), clipped = network(true, false);
  EXPECT_TRUE(torch::equal(plain->forward(x), clipped->forward(x)));
  EXPECT_TRUE(torch::equal(gradient(plain), gradient(clipped)));
  EXPECT_EQ(clipped->graph().nodes.size(), 3U);
  // Behind a range that reaches below zero the ReLU counts.
  EXPECT_GE(network(true, true)->forward(x).min().item<float>(), 0.0F);
  EXPECT_LT(network(false, true)->forward(x).min().item<float>(), 0.0F);
}

}  // namespace
}  // namespace plateforge::ops
