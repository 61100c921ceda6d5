#include "export/linter.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/conv.h>
#include <torch/utils.h>

#include <functional>

#include "export/onnx_export.h"
#include "tests/support/min_max.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

// conv -> relu -> conv, quantised, as a file that the test then spoils.
class PairOfConvs : public Network {
 public:
  torch::Tensor forward(const torch::Tensor& images) override {
    return second(torch::relu(first(images)));
  }
  torch::nn::Conv2d first{register_module("first", torch::nn::Conv2d(3, 4, 1))};
  torch::nn::Conv2d second{register_module("second", torch::nn::Conv2d(4, 5, 1))};
};

OnnxModel pair(const std::string& profile) {
  PairOfConvs network;
  randomize(network, 4);
  torch::manual_seed(4);
  const auto quantized = quantize_min_max(network, torch::rand({4, 3, 6, 8}), profile);
  return to_onnx(trace(*quantized, {1, 3, 6, 8}), find_profile(profile), 13, {});
}

OnnxNode& node_of(OnnxModel& model, const std::string& output) {
  for (auto& node : model.nodes)
    if (node.outputs[0] == output) return node;
  throw std::logic_error("no node computes " + output);
}
torch::Tensor& initializer(OnnxModel& model, const std::string& name) {
  for (auto& [known, value] : model.initializers)
    if (known == name) return value;
  throw std::logic_error("no initializer " + name);
}

std::string texts(const LintReport& report, const std::string& runtime) {
  std::string all;
  for (const auto& finding : report.about({runtime}))
    all += finding.node + ": " + finding.text + "\n";
  return all;
}

TEST(Linter, UnsignedFileFusesWhollyWithoutAWord) {
  const auto report = lint(pair("int8-u8"));
  ASSERT_EQ(report.kernels.size(), 2U);
  EXPECT_EQ(report.integer_kernels("onnxruntime"), 2);
  EXPECT_EQ(report.integer_kernels("openvino"), 2);
  EXPECT_EQ(texts(report, "onnxruntime") + texts(report, "openvino") + texts(report, "tvm"), "");
  EXPECT_NE(texts(report, "tensorrt").find("not signed"), std::string::npos);
}

TEST(Linter, SignedFileIsForTensorRtAlone) {
  const auto report = lint(pair("int8-s8"));
  EXPECT_EQ(report.integer_kernels("onnxruntime"), 0);
  EXPECT_EQ(report.integer_kernels("openvino"), 2);
  EXPECT_EQ(texts(report, "tensorrt"), "");
  EXPECT_NE(texts(report, "onnxruntime").find("no QuantizeLinear behind its output"),
            std::string::npos);
  EXPECT_NE(texts(report, "openvino").find("unfaithfully"), std::string::npos);
}

// Each spoils one thing; the sentence and the number of convolutions that ORT then fuses.
struct Spoiling {
  std::string name, sentence, runtime;
  int64_t fused;
  std::function<void(OnnxModel&)> spoil;
};

TEST(Linter, NamesWhatStopsAFusion) {
  const auto quantizer_of = [](OnnxModel& file, const std::string& conv) -> OnnxNode& {
    auto& dequantizer = node_of(file, node_of(file, conv).inputs[0]);
    return node_of(file, dequantizer.inputs[0]);
  };
  const std::vector<Spoiling> spoilings = {
      {"float bias", "its bias is float", "onnxruntime", 2,
       [](OnnxModel& file) {
         file.initializers.emplace_back("float_bias", torch::zeros({4}));
         node_of(file, "first").inputs[2] = "float_bias";
       }},
      {"bias scale", "the scale of its bias", "onnxruntime", 1,
       [](OnnxModel& file) {
         const auto bias = node_of(file, node_of(file, "first").inputs[2]);
         auto& scale = initializer(file, bias.inputs[1]);
         scale = scale * 1.01;
       }},
      {"zero point after a ReLU", "zero point not the lowest", "onnxruntime", 1,
       [&](OnnxModel& file) {
         auto& zero = initializer(file, quantizer_of(file, "second").inputs[2]);
         zero = torch::tensor(7, torch::kByte);
       }},
      {"scale of shape [1]", "shape [1]", "tvm", 2,
       [&](OnnxModel& file) {
         auto& scale = initializer(file, quantizer_of(file, "second").inputs[1]);
         scale = scale.reshape({1});
       }},
      {"two dequantizers", "several DequantizeLinear", "openvino", 2,
       [&](OnnxModel& file) {
         auto twin = node_of(file, node_of(file, "second").inputs[0]);
         twin.name = twin.outputs[0] = "twin";
         file.nodes.push_back(twin);
       }},
      {"weight axis", "axis 0", "onnxruntime", 2,
       [](OnnxModel& file) {
         node_of(file, node_of(file, "first").inputs[1]).attributes.erase("axis");
       }},
      {"unsigned weights", "unsigned weights", "onnxruntime", 2,
       [](OnnxModel& file) {
         const auto weight = node_of(file, node_of(file, "first").inputs[1]);
         auto& stored = initializer(file, weight.inputs[0]);
         stored = (stored.to(torch::kInt) + 128).to(torch::kByte);
       }},
      {"16 bits", "16-bit values", "onnxruntime", 1,
       [&](OnnxModel& file) {
         auto& zero = initializer(file, quantizer_of(file, "first").inputs[2]);
         zero = torch::zeros({}, torch::kShort);
       }},
  };
  for (const auto& item : spoilings) {
    auto file = pair("int8-u8");
    item.spoil(file);
    const auto report = lint(file);
    EXPECT_NE(texts(report, item.runtime).find(item.sentence), std::string::npos)
        << item.name << ": " << report.to_json().dump(1);
    EXPECT_EQ(report.integer_kernels("onnxruntime"), item.fused) << item.name;
  }
}

TEST(Linter, ProductsAnswerInFloatWhereTheirBiasIsAnInteger) {
  NormedTokens network;
  randomize(network, 4);
  torch::manual_seed(4);
  const auto quantized = quantize_min_max(network, torch::rand({4, 3, 8, 12}), "int8-u8");
  auto file = to_onnx(trace(*quantized, {1, 3, 8, 12}), find_profile("int8-u8"), 13, {});
  EXPECT_EQ(lint(file).integer_kernels("onnxruntime"), 4);
  EXPECT_EQ(texts(lint(file), "onnxruntime"), "");
  file.initializers.emplace_back("float_bias", torch::zeros({16}));
  node_of(file, "gate").inputs[1] = "float_bias";
  EXPECT_EQ(lint(file).integer_kernels("onnxruntime"), 3);
  EXPECT_NE(texts(lint(file), "onnxruntime").find("store the bias as int32"), std::string::npos)
      << texts(lint(file), "onnxruntime");
}

TEST(Linter, WeightsAloneSaveSpaceNotTime) {
  const auto report = lint(pair("int8-weights"));
  EXPECT_EQ(report.integer_kernels("onnxruntime"), 0);
  EXPECT_NE(texts(report, "onnxruntime").find("saves space, not time"), std::string::npos);
}

TEST(Linter, DynamicConvolutionsAreSlower) {
  const auto report = lint(pair("int8-dynamic"));
  EXPECT_EQ(report.integer_kernels("onnxruntime"), 2);
  EXPECT_NE(texts(report, "onnxruntime").find("saves space, not time"), std::string::npos);
}

TEST(Linter, FloatFileHasNoFindings) {
  PairOfConvs network;
  const auto report = lint(to_onnx(trace(network, {1, 3, 6, 8}), find_profile("fp32"), 13, {}));
  EXPECT_EQ(report.kernels.size(), 2U);
  EXPECT_TRUE(report.findings.empty());
}

}  // namespace
}  // namespace plateforge
