#include "compress/quantize/placement.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>

#include "compress/quantize/insert_quantizers.h"
#include "configs/error.h"
#include "models/graph/execute.h"
#include "tests/unit/compress/nets.h"

namespace plateforge {
namespace {

// "images | relu max_pool slice | ...": the tensors that share a scale, quantiser by quantiser.
std::string groups(const Graph& graph, const Placement& placement) {
  std::string text;
  for (const auto& quantizer : placement.activations) {
    if (!text.empty()) text += " | ";
    for (size_t i = 0; i < quantizer.tensors.size(); ++i) {
      text += (i ? " " : "") + graph.tensor(quantizer.tensors[i]).name;
    }
  }
  return text;
}

std::string groups(const Graph& graph, QuantProfile profile, const LayerPrecisions& choices = {}) {
  return groups(graph, place_quantizers(graph, profile, choices, false));
}

TEST(Placement, U8QuantisesWhatLayersReadAndConvolutionsWrite) {
  ForkCnn branch;
  EXPECT_EQ(groups(deployed(branch), QuantProfile::int8_u8),
            "images | relu max_pool slice | avg_pool | relu_2 | concat | head");
  PlainCnn plain;
  EXPECT_EQ(groups(deployed(plain), QuantProfile::int8_u8),
            "clamp | relu max_pool | clamp_2 | avg_pool reshape");
}

TEST(Placement, U8LeavesTheProductsOfATransformerInFloat) {
  NormedTokens tokens;
  EXPECT_EQ(groups(deployed(tokens), QuantProfile::int8_u8), "images | embed | norm_2 | mul_2");
  struct Perceptron : Network {
    torch::Tensor forward(const torch::Tensor& x) override {
      const auto tokens = x.flatten(2);
      const auto inner = first(tokens);
      return last(middle(torch::relu(inner)) + inner);
    }
    torch::nn::Linear first{register_module("first", torch::nn::Linear(16, 8))};
    torch::nn::Linear middle{register_module("middle", torch::nn::Linear(8, 8))};
    torch::nn::Linear last{register_module("last", torch::nn::Linear(8, 4))};
  } perceptron;
  perceptron.eval();
  auto graph = trace(perceptron, {1, 3, 4, 4});
  simplify(graph);
  EXPECT_EQ(groups(graph, QuantProfile::int8_u8), "reshape | first | relu | middle | add");
}

TEST(Placement, U8QuantisesResidualAdds) {
  ShortcutCnn network;
  EXPECT_EQ(groups(deployed(network), QuantProfile::int8_u8),
            "images | relu | relu_2 | second | relu_3 | head");
}

TEST(Placement, UpSampledTensorsKeepTheirScale) {
  PyramidCnn network;
  EXPECT_EQ(groups(deployed(network), QuantProfile::int8_u8),
            "images | relu max_pool | relu_2 upsample | relu_3 | head");
}

TEST(Placement, S8QuantisesWhatLayersReadAndTheResidualBranch) {
  ShortcutCnn network;
  const auto graph = deployed(network);
  const auto placement = place_quantizers(graph, QuantProfile::int8_s8, {}, false);
  EXPECT_EQ(groups(graph, placement), "images | relu | relu_2 | relu_3");
  EXPECT_EQ(placement.activations[0].type, kInt8);
  const auto shortcut = placement.activations[1].tensors[0];
  EXPECT_EQ(placement.readers.at(shortcut), (std::set<std::string>{"first", "add"}));
  ForkCnn branch;  // the slice has a range of its own here
  EXPECT_EQ(groups(deployed(branch), QuantProfile::int8_s8), "images | slice | concat");
}

TEST(Placement, PartsOfAConcatenationShareOneScale) {
  struct Parts : Network {
    Parts() {
      namespace nn = torch::nn;
      a = register_module("a", nn::Conv2d(nn::Conv2dOptions(3, 8, 1)));
      b = register_module("b", nn::Conv2d(nn::Conv2dOptions(3, 8, 1)));
      head = register_module("head", nn::Conv2d(nn::Conv2dOptions(16, 4, 1)));
    }
    torch::Tensor forward(const torch::Tensor& x) override {
      return head(torch::cat({torch::relu(a(x)), b(x)}, 1));
    }
    torch::nn::Conv2d a{nullptr}, b{nullptr}, head{nullptr};
  } network;
  const auto graph = deployed(network);
  const auto placement = place_quantizers(graph, QuantProfile::int8_u8, {}, false);
  EXPECT_EQ(groups(graph, placement), "images | relu b concat | head");
  EXPECT_EQ(placement.activations[1].sources.size(), 2U);
  EXPECT_FALSE(placement.activations[1].last);
  EXPECT_TRUE(placement.activations[2].last);
}

TEST(Placement, FloatLayersAreWhollyFloatAndWideOnesHave16Bits) {
  ForkCnn network;
  const auto graph = deployed(network);
  const auto placement =
      place_quantizers(graph, QuantProfile::int8_u8,
                       {{"stem", LayerPrecision::real}, {"head", LayerPrecision::int16}}, false);
  EXPECT_EQ(groups(graph, placement), "slice | relu_2 | concat | head");
  EXPECT_EQ(placement.weights.size(), 2U);
  EXPECT_EQ(placement.activations[0].type, kUint8);
  EXPECT_EQ(placement.activations[2].type, kUint16);
  EXPECT_EQ(placement.activations[3].type, kUint16);
}

TEST(Placement, WeightsAloneAndDynamic) {
  ForkCnn network;
  const auto graph = deployed(network);
  const auto weights = place_quantizers(graph, QuantProfile::int8_weights, {}, true);
  EXPECT_TRUE(weights.activations.empty() && weights.dynamic.empty());
  ASSERT_EQ(weights.weights.size(), 3U);
  EXPECT_EQ(weights.weights[0].type, kWeight7);
  const auto dynamic = place_quantizers(graph, QuantProfile::int8_dynamic, {}, false);
  EXPECT_EQ(dynamic.dynamic.size(), 3U);
  const auto quantized = insert_quantizers(
      graph, dynamic, {}, {torch::ones({16}), torch::ones({16}), torch::ones({5})});
  const auto count =
      std::count_if(quantized.nodes.begin(), quantized.nodes.end(),
                    [](const Node& node) { return node.as<op::DynamicFakeQuantize>() != nullptr; });
  EXPECT_EQ(count, 3);
}

TEST(Placement, InsertedNodesStandBehindTensorsAndInFrontOfWeights) {
  ShortcutCnn network;
  randomize(network, 1);
  const auto graph = deployed(network);
  const auto placement = place_quantizers(graph, QuantProfile::int8_u8, {}, false);
  const std::vector<QuantizerScale> scales(placement.activations.size(), {0.5, 3});
  std::vector<torch::Tensor> weights;
  for (const auto& weight : placement.weights) {
    weights.push_back(weight_scales(graph.tensor(weight.weight).value, weight.axis, weight.type));
  }
  const auto quantized = insert_quantizers(graph, placement, scales, weights);
  const auto text = dump(quantized);
  EXPECT_NE(text.find("conv first(relu_quantized, first.weight_quantized, first.bias)"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("add add(relu_quantized, second_quantized)"), std::string::npos) << text;
  EXPECT_NE(text.find("output head_quantized"), std::string::npos) << text;
  const auto output = execute(quantized, pictures(1, 1))[0] / 0.5;
  EXPECT_TRUE(torch::equal(output, output.round()));  // on the grid of the last quantiser
}

TEST(Placement, RefusesUnknownLayersAndQuantisedGraphs) {
  ForkCnn network;
  const auto graph = deployed(network);
  const auto problem = [](const Graph& bad, const LayerPrecisions& choices) -> std::string {
    try {
      place_quantizers(bad, QuantProfile::int8_u8, choices, false);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(problem(graph, {{"heads", LayerPrecision::real}}),
            "unknown layer 'heads'; did you mean 'head'? known: stem, body, head");
  const auto placement = place_quantizers(graph, QuantProfile::int8_u8, {}, false);
  const std::vector<QuantizerScale> scales(placement.activations.size(), {1, 0});
  const auto quantized = insert_quantizers(
      graph, placement, scales, {torch::ones({16}), torch::ones({16}), torch::ones({5})});
  EXPECT_NE(problem(quantized, {}).find("quantised already"), std::string::npos);
}

}  // namespace
}  // namespace plateforge
