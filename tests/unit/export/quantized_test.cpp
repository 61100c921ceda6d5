// Quantised networks through the file: graph with fake quantisers -> ONNX -> our interpreter.
#include <gtest/gtest.h>
#include <torch/nn/modules/conv.h>
#include <torch/utils.h>

#include <algorithm>

#include "configs/error.h"
#include "export/interpreter.h"
#include "export/onnx_export.h"
#include "export/onnx_reader.h"
#include "export/onnx_writer.h"
#include "export/quantizers.h"
#include "export/runtimes.h"
#include "tests/support/min_max.h"
#include "tests/support/problem.h"
#include "tests/support/small_nets.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

using torch::Tensor;

int64_t count(const OnnxModel& model, const std::string& type) {
  return std::count_if(model.nodes.begin(), model.nodes.end(),
                       [&](const OnnxNode& node) { return node.op_type == type; });
}

const OnnxNode& node_named(const OnnxModel& model, const std::string& output) {
  for (const auto& node : model.nodes)
    if (node.outputs[0] == output) return node;
  throw std::logic_error("no node computes " + output);
}

Tensor initializer(const OnnxModel& model, const std::string& name) {
  for (const auto& [known, value] : model.initializers)
    if (known == name) return value;
  throw std::logic_error("no initializer " + name);
}

OnnxModel file_of(Network& network, const Shape& input, const std::string& profile,
                  int64_t opset = 13) {
  const auto model = to_onnx(trace(network, input), find_profile(profile), opset, {});
  return decode_onnx(encode_onnx(model), "file");
}

// One output step of a network whose last layer is quantised per tensor.
double output_step(const GraphNetwork& network) {
  for (auto node = network.graph().nodes.rbegin(); node != network.graph().nodes.rend(); ++node)
    if (node->as<op::FakeQuantize>() && node->as<op::FakeQuantize>()->axis < 0)
      return network.graph().tensor(node->inputs[1]).value.item<double>();
  throw std::logic_error("no quantiser");
}

// images -> conv -> relu -> pool, slice -> conv; the relu's output is also averaged in float.
class TwoConvs : public Network {
 public:
  TwoConvs() {
    namespace nn = torch::nn;
    first = register_module("first", nn::Conv2d(nn::Conv2dOptions(3, 4, 3).padding(1)));
    second = register_module("second", nn::Conv2d(nn::Conv2dOptions(2, 5, 1).bias(false)));
  }
  Tensor forward(const Tensor& images) override {
    const auto x = torch::relu(first(images));
    const auto picked = torch::max_pool2d(x, 2).slice(1, 0, c10::nullopt, 2);
    return second(picked) + torch::avg_pool2d(x, 2).mean({1}, /*keepdim=*/true);
  }
  torch::nn::Conv2d first{nullptr}, second{nullptr};
};

std::shared_ptr<GraphNetwork> two_convs(const std::string& profile) {
  TwoConvs network;
  randomize(network, 4);
  torch::manual_seed(4);
  return quantize_min_max(network, torch::rand({8, 3, 6, 8}), profile);
}

const Shape kImages{1, 3, 6, 8};

TEST(QuantizedExport, LprNetFileComputesWhatTheGraphSimulates) {
  const torch::NoGradGuard no_grad;
  const auto network = make_network({}, 68, 3);
  randomize(*network, 3);
  const auto images = torch::rand({4, 3, 24, 94}) * 2 - 1;
  const auto quantized = quantize_min_max(*network, images, "int8-u8");
  const OnnxInterpreter file(file_of(*quantized, {-1, 3, 24, 94}, "int8-u8"), "file");
  const auto expected = quantized->forward(images), got = file.run(images).at(0);
  EXPECT_LE((expected - got).abs().max().item<double>(), output_step(*quantized) * 1.001);
}

TEST(QuantizedExport, EveryProfileComputesWhatTheGraphSimulates) {
  const torch::NoGradGuard no_grad;
  const auto images = torch::rand({2, 3, 6, 8});
  for (const auto& profile : profiles()) {
    if (profile.holds == "fp32") continue;
    const auto network = two_convs(profile.name);
    const OnnxInterpreter file(file_of(*network, {-1, 3, 6, 8}, profile.name), "file");
    const auto expected = network->forward(images), got = file.run(images).at(0);
    EXPECT_TRUE(torch::allclose(expected, got, 1e-4, 1e-4)) << profile.name;
  }
}

TEST(QuantizedExport, UnsignedFileHasTheFormThatKernelsWant) {
  const auto file = file_of(*two_convs("int8-u8"), kImages, "int8-u8");
  // Per channel int8 weights behind a DequantizeLinear of axis 0, no QuantizeLinear.
  const auto& conv = node_named(file, "first");
  EXPECT_EQ(conv.op_type, "Conv");
  const auto& weight = node_named(file, conv.inputs[1]);
  EXPECT_EQ(weight.op_type, "DequantizeLinear");
  EXPECT_EQ(std::get<int64_t>(weight.attributes.at("axis")), 0);
  EXPECT_EQ(initializer(file, weight.inputs[0]).scalar_type(), torch::kChar);
  // int32 biases with exactly the scale of the products.
  const auto& bias = node_named(file, conv.inputs[2]);
  const auto& image = node_named(file, conv.inputs[0]);
  EXPECT_EQ(initializer(file, bias.inputs[0]).scalar_type(), torch::kInt);
  EXPECT_TRUE(
      torch::equal(initializer(file, bias.inputs[1]),
                   initializer(file, image.inputs[1]) * initializer(file, weight.inputs[1])));
  // Scalars of rank 0: TVM stops at rank 1.
  EXPECT_EQ(initializer(file, image.inputs[1]).dim(), 0);
  EXPECT_EQ(initializer(file, image.inputs[2]).dim(), 0);
  EXPECT_EQ(initializer(file, image.inputs[2]).scalar_type(), torch::kByte);
  // images, relu, pool, slice and the second convolution: one pair each, two weights, one bias.
  EXPECT_EQ(count(file, "QuantizeLinear"), 5);
  EXPECT_EQ(count(file, "DequantizeLinear"), 5 + 2 + 1);
  const auto& slice = node_named(file, node_named(file, "second").inputs[0]);
  EXPECT_EQ(slice.op_type, "DequantizeLinear");
}

TEST(QuantizedExport, TensorRtFileHasFloatWeightsAndBiases) {
  const auto file = file_of(*two_convs("int8-s8"), kImages, "int8-s8");
  const auto& conv = node_named(file, "first");
  const auto& weight = node_named(file, conv.inputs[1]);
  const auto& quantized = node_named(file, weight.inputs[0]);
  EXPECT_EQ(quantized.op_type, "QuantizeLinear");
  EXPECT_EQ(initializer(file, quantized.inputs[0]).scalar_type(), torch::kFloat);
  EXPECT_EQ(initializer(file, conv.inputs[2]).scalar_type(), torch::kFloat);
  EXPECT_EQ(initializer(file, node_named(file, conv.inputs[0]).inputs[2]).scalar_type(),
            torch::kChar);
  EXPECT_EQ(count(file, "QuantizeLinear"), 4);  // two inputs, two weights, no outputs
}

TEST(QuantizedExport, DynamicFileMultipliesIntegers) {
  const auto file = file_of(*two_convs("int8-dynamic"), kImages, "int8-dynamic");
  EXPECT_EQ(count(file, "DynamicQuantizeLinear"), 2);
  EXPECT_EQ(count(file, "ConvInteger"), 2);
  EXPECT_EQ(count(file, "Conv"), 0);
}

// [N, 4] -> matmul with a constant matrix on the right -> linear with a bias, both quantised.
TEST(QuantizedExport, ProductsComputeWhatTheGraphSimulates) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  for (const bool dynamic : {true, false}) {
    Graph graph;
    const auto x = graph.add_tensor("x", {2, 3, 4}, Origin::input);
    graph.inputs = {x};
    const auto weight = [&](const std::string& name, const Shape& shape, int64_t axis) {
      const auto value = graph.add_literal(name, torch::randn(shape));
      const auto scale = graph.add_literal(name + ".scale", torch::rand({shape[axis]}) / 40 + 0.02);
      const auto zero = graph.add_literal(name + ".zero", torch::zeros({shape[axis]}, torch::kInt));
      return graph.add_node(op::FakeQuantize{-127, 127, axis}, name + ".q", {value, scale, zero},
                            shape);
    };
    const auto activation = [&](TensorId id, const std::string& name) {
      if (dynamic) return graph.add_node(op::DynamicFakeQuantize{}, name, {id}, graph.shape(id));
      const auto scale = graph.add_literal(name + ".scale", torch::tensor(0.05F));
      const auto zero = graph.add_literal(name + ".zero", torch::tensor(128, torch::kInt));
      return graph.add_node(op::FakeQuantize{0, 255, -1}, name, {id, scale, zero}, graph.shape(id));
    };
    const auto product = graph.add_node(op::MatMul{}, "product",
                                        {activation(x, "a"), weight("m", {4, 5}, 1)}, {2, 3, 5});
    const auto w = weight("w", {6, 5}, 0);
    // A whole number of the steps in which a file stores it.
    const auto step = 0.05F * graph.tensor(graph.producer(w)->inputs[1]).value;
    const auto bias = graph.add_literal("bias", (torch::randn({6}) / step).round() * step);
    graph.outputs = {
        graph.add_node(op::Linear{}, "linear", {activation(product, "b"), w, bias}, {2, 3, 6})};
    const auto images = torch::randn({2, 3, 4});
    const auto expected = execute(graph, {images})[0];
    const auto& profile = find_profile(dynamic ? "int8-dynamic" : "int8-u8");
    const auto got = OnnxInterpreter(to_onnx(graph, profile, 13, {}), "f").run(images).at(0);
    EXPECT_TRUE(torch::allclose(expected, got, 1e-4, 1e-4)) << expected << got;
  }
}

TEST(QuantizedExport, ProfileOfAnotherKindIsOneSentence) {
  TwoConvs plain;
  const auto float_as_u8 = problem_of([&] { file_of(plain, kImages, "int8-u8"); });
  EXPECT_NE(float_as_u8.find("plateforge quantize --model M --profile int8-u8"), std::string::npos)
      << float_as_u8;
  const auto u8_as_s8 = problem_of([&] { file_of(*two_convs("int8-u8"), kImages, "int8-s8"); });
  EXPECT_NE(u8_as_s8.find("was quantised for int8-u8"), std::string::npos) << u8_as_s8;
  EXPECT_NE(problem_of([&] { file_of(*two_convs("int8-u8"), kImages, "fp32"); }), "");
}

TEST(QuantizedExport, BiasBeyondInt32IsOneSentence) {
  const torch::NoGradGuard no_grad;
  const auto network = two_convs("int8-u8");
  for (auto& item : network->named_parameters())
    if (item.key() == "first.bias") item.value().fill_(1e9);
  const auto text = problem_of([&] { file_of(*network, kImages, "int8-u8"); });
  EXPECT_NE(text.find("the bias of 'first' does not fit int32"), std::string::npos) << text;
}

TEST(QuantizedExport, SixteenBitsNeedOpset21) {
  Graph graph;
  const auto x = graph.add_tensor("x", {1, 4}, Origin::input);
  graph.inputs = {x};
  const auto scale = graph.add_literal("scale", torch::tensor(0.01F));
  const auto zero = graph.add_literal("zero", torch::tensor(30000, torch::kInt));
  graph.outputs = {
      graph.add_node(op::FakeQuantize{0, 65535, -1}, "wide", {x, scale, zero}, {1, 4})};
  const auto text = problem_of([&] { to_onnx(graph, find_profile("int8-u8"), 13, {}); });
  EXPECT_NE(text.find("needs opset 21, not 13"), std::string::npos) << text;
  const auto file = decode_onnx(encode_onnx(to_onnx(graph, find_profile("int8-u8"), 21, {})), "f");
  EXPECT_EQ(file.ir_version, 10);
  const auto got =
      OnnxInterpreter(file, "f").run(torch::tensor({{0.014F, -500.F, 0.026F, 500.F}})).at(0);
  EXPECT_TRUE(torch::allclose(got, torch::tensor({{0.01F, -300.F, 0.03F, 355.35F}})));
}

// An average pool between two quantisers runs as a depthwise convolution, to the same integers.
TEST(QuantizedExport, IntegerAveragePoolIsADepthwiseConvolution) {
  const torch::NoGradGuard no_grad;
  Graph graph;
  const auto x = graph.add_tensor("x", {2, 3, 6, 10}, Origin::input);
  graph.inputs = {x};
  const auto quantize = [&](TensorId id, float step, const std::string& name) {
    const auto scale = graph.add_literal(name + ".scale", torch::tensor(step));
    const auto zero = graph.add_literal(name + ".zero", torch::tensor(3, torch::kInt));
    return graph.add_node(op::FakeQuantize{0, 255, -1}, name, {id, scale, zero}, graph.shape(id));
  };
  const auto in = quantize(x, 0.011F, "in");
  const op::AveragePool pool{{3, 5}, {3, 5}, {0, 0}, true};
  const auto mean = graph.add_node(pool, "mean", {in}, {2, 3, 2, 2});
  graph.outputs = {quantize(mean, 0.007F, "out")};
  const auto images = torch::rand({2, 3, 6, 10}) * 2;
  const auto expected = execute(graph, {images})[0];
  const auto file = to_onnx(graph, find_profile("int8-u8"), 13, {});
  EXPECT_EQ(count(file, "AveragePool"), 0);
  EXPECT_EQ(std::get<int64_t>(node_named(file, "mean").attributes.at("group")), 3);
  const auto got = OnnxInterpreter(file, "f").run(images).at(0);
  EXPECT_LE((expected - got).abs().max().item<float>(), 0.00701F);
  EXPECT_LE((expected != got).sum().item<int64_t>(), 1);  // a value on the border of two steps
}

TEST(Arrange, RepeatedQuantizersBecomeOne) {
  Graph graph;
  const auto x = graph.add_tensor("x", {1, 4}, Origin::input);
  graph.inputs = {x};
  const auto quantize = [&](TensorId id, float step, const std::string& name) {
    const auto scale = graph.add_literal(name + ".scale", torch::tensor(step));
    const auto zero = graph.add_literal(name + ".zero", torch::tensor(0, torch::kInt));
    return graph.add_node(op::FakeQuantize{0, 255, -1}, name, {id, scale, zero}, {1, 4});
  };
  const auto a = quantize(x, 0.5F, "a"), b = quantize(x, 0.5F, "b"), c = quantize(x, 0.25F, "c");
  const auto again = quantize(a, 0.5F, "again");
  const auto sum = graph.add_node(op::Add{}, "sum", {again, b}, {1, 4});
  graph.outputs = {graph.add_node(op::Add{}, "total", {sum, c}, {1, 4})};
  arrange_quantizers(graph);
  EXPECT_EQ(graph.nodes.size(), 4U) << dump(graph);  // a, c, sum, total
}

}  // namespace
}  // namespace plateforge
