#include <gtest/gtest.h>
#include <torch/utils.h>

#include <random>

#include "configs/error.h"
#include "export/interpreter.h"
#include "export/onnx_export.h"
#include "export/onnx_reader.h"
#include "export/onnx_writer.h"
#include "models/graph/trace.h"
#include "tests/support/detectors.h"
#include "tests/support/maskocr.h"
#include "tests/support/problem.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

OnnxModel exported(Network& network, const Shape& input) {
  return to_onnx(trace(network, input), find_profile("fp32"), 13,
                 {{"alphabet", "[\"京\"]"}, {"blank", "1"}});
}

TEST(Onnx, FileReadsBackEqual) {
  PlainCnn network;
  randomize(network, 1);
  const auto written = exported(network, {-1, 3, 12, 20});
  const auto read = decode_onnx(encode_onnx(written), "file");
  EXPECT_EQ(read.ir_version, 7);
  EXPECT_EQ(read.opset, 13);
  EXPECT_EQ(read.metadata, written.metadata);
  EXPECT_EQ(read.inputs[0].name, "images");
  EXPECT_EQ(read.inputs[0].shape, (Shape{-1, 3, 12, 20}));
  EXPECT_EQ(read.outputs[0].name, "logits");
  ASSERT_EQ(read.initializers.size(), written.initializers.size());
  for (size_t i = 0; i < read.initializers.size(); ++i) {
    EXPECT_EQ(read.initializers[i].first, written.initializers[i].first);
    EXPECT_TRUE(torch::equal(read.initializers[i].second, written.initializers[i].second));
  }
  ASSERT_EQ(read.nodes.size(), written.nodes.size());
  for (size_t i = 0; i < read.nodes.size(); ++i) {
    EXPECT_EQ(read.nodes[i].op_type, written.nodes[i].op_type);
    EXPECT_EQ(read.nodes[i].inputs, written.nodes[i].inputs);
    EXPECT_EQ(read.nodes[i].attributes.size(), written.nodes[i].attributes.size());
  }
  EXPECT_EQ(encode_onnx(read), encode_onnx(written));
}

TEST(Onnx, InterpreterRunsTheFileLikeTheNetwork) {
  const torch::NoGradGuard no_grad;
  PlainCnn plain;
  ContextCnn even(6), odd(7);
  for (Network* network :
       {static_cast<Network*>(&plain), static_cast<Network*>(&even), static_cast<Network*>(&odd)}) {
    randomize(*network, 2);
    network->eval();
    for (const int64_t batch : {1, 4}) {
      for (const int64_t declared : {batch, int64_t{-1}}) {
        const auto file = encode_onnx(exported(*network, {declared, 3, 13, 21}));
        const OnnxInterpreter interpreter(decode_onnx(file, "file"), "file");
        const auto images = torch::randn({batch, 3, 13, 21});
        const auto expected = network->forward(images), got = interpreter.run(images).at(0);
        ASSERT_EQ(expected.sizes(), got.sizes());
        EXPECT_LT((expected - got).abs().max().item<float>(),
                  1e-4F * expected.abs().max().item<float>());
      }
    }
  }
}

TEST(Onnx, InterpreterRunsDetectorsLikeTheNetworks) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, config] : small_detectors()) {
    const auto network = make_network(config, 0, 4);
    randomize_norms(*network, 5);
    network->eval();
    for (const int64_t height : {64, 51}) {
      const auto images = torch::randn({1, 3, height, 96});
      const auto file = encode_onnx(exported(*network, {1, 3, height, 96}));
      const OnnxInterpreter interpreter(decode_onnx(file, "file"), "file");
      const auto expected = network->forward(images), got = interpreter.run(images).at(0);
      ASSERT_EQ(expected.sizes(), got.sizes()) << name;
      EXPECT_LT((expected - got).abs().max().item<float>(),
                1e-4F * expected.abs().max().item<float>())
          << name;
    }
  }
}

// What other writers may say of it is refused, not computed wrongly.
TEST(Onnx, ResizeIsNearestByWholeFactors) {
  const auto problem = [](const Shape& factor, const char* attribute) {
    OnnxBuilder builder;
    const auto x = builder.input("x", {1, 1, 2, 2});
    builder.output(builder.resize_nearest("y", x, factor), {1, 1, 4, 2});
    auto model = std::move(builder.model());
    if (*attribute) model.nodes[0].attributes.erase(attribute);
    model.initializers[0].second[2] += attribute[0] ? 0 : 0.5;
    return problem_of([&] { OnnxInterpreter(model, "file").run(torch::zeros({1, 1, 2, 2})); });
  };
  EXPECT_EQ(problem({2, 1}, "mode"), "");  // nearest is the default
  EXPECT_NE(problem({2, 1}, "coordinate_transformation_mode").find("half_pixel"),
            std::string::npos);
  EXPECT_NE(problem({2, 1}, "nearest_mode").find("round_prefer_floor"), std::string::npos);
  EXPECT_NE(problem({2, 1}, "").find("whole scales"), std::string::npos);
}

std::string error_of(const std::string& bytes) {
  try {
    OnnxInterpreter(decode_onnx(bytes, "plate.onnx"), "plate.onnx");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Onnx, EveryCutFileIsOneError) {
  ContextCnn network(2);
  const auto file = encode_onnx(exported(network, {1, 3, 6, 8}));
  // Metadata at the end is the one part that a reader can do without.
  const auto needed = file.find("alphabet") - 16;
  for (size_t length = 0; length < needed; ++length) {
    const auto text = error_of(file.substr(0, length));
    ASSERT_NE(text.find("plate.onnx"), std::string::npos) << "cut at " << length << ": " << text;
  }
}

TEST(Onnx, FlippedBytesNeverCrash) {
  ContextCnn network(2);
  const auto file = encode_onnx(exported(network, {1, 3, 6, 8}));
  std::mt19937 random(1);
  int refused = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    auto broken = file;
    for (int flips = 1 + trial % 3; flips > 0; --flips) {
      broken[random() % broken.size()] = static_cast<char>(random());
    }
    refused += !error_of(broken).empty();
  }
  EXPECT_GT(refused, 1000);
}

TEST(Onnx, TensorThatClaimsTooMuchIsRefusedBeforeAllocation) {
  OnnxBuilder builder;
  const auto x = builder.input("x", {2});
  builder.output(builder.add("y", x, builder.initializer("c", torch::zeros({2}))), {2});
  auto file = encode_onnx(builder.model());
  const std::string two_floats("\x08\x02\x10\x01", 4);  // dims: 2, data_type: float
  const auto at = file.find(two_floats);
  ASSERT_NE(at, std::string::npos);
  file[at + 1] = 0x7f;
  const auto text = error_of(file);
  EXPECT_NE(text.find("tensor 'c' of shape [127] has only 8 bytes in the file"), std::string::npos)
      << text;
}

TEST(Onnx, UnknownOperatorIsOneError) {
  OnnxModel model;
  model.inputs = {{"x", {1}}};
  model.outputs = {{"y", {1}}};
  model.nodes = {{"Frobnicate", "n", {"x"}, {"y"}, {}}};
  const auto text = error_of(encode_onnx(model));
  EXPECT_NE(text.find("plate.onnx: node 'n' has the unknown operator 'Frobnicate'; known: Add"),
            std::string::npos)
      << text;
}

TEST(Onnx, OpsetOutsideTheTableIsOneError) {
  PlainCnn network;
  const auto graph = trace(network, {1, 3, 8, 8});
  EXPECT_THROW(to_onnx(graph, find_profile("fp32"), 9, {}), Error);
  EXPECT_THROW(to_onnx(graph, find_profile("fp32"), 22, {}), Error);
}

TEST(Onnx, LayerNormsAreWrittenAsOperators) {
  const torch::NoGradGuard no_grad;
  auto config = tiny_maskocr();
  const auto network = make_network(config, 9);
  randomize(*network, 3);
  network->eval();
  auto profile = find_profile("fp32");
  profile.norm_operators = true;
  const auto graph = trace(*network, {-1, 3, config.height, config.width});
  for (const int64_t opset : {13, 18}) {
    const auto file = decode_onnx(encode_onnx(to_onnx(graph, profile, opset, {})), "file");
    EXPECT_EQ(file.opset, std::max<int64_t>(opset, 17));
    const auto count = [&](const std::string& type) {
      return std::count_if(file.nodes.begin(), file.nodes.end(),
                           [&](const auto& node) { return node.op_type == type; });
    };
    // Two of the patches, one behind each of the encoder and the decoder; two and three of a layer,
    // but for the first two of the decoder, which see constant queries and fold.
    EXPECT_EQ(count("LayerNormalization"), 2 + 2 + 2 * 2 + 2 * 3 - 2);
    EXPECT_EQ(count("ReduceMean"), 0);
    const auto images = torch::randn({3, 3, config.height, config.width});
    const auto wanted = network->forward(images);
    const auto got = OnnxInterpreter(file, "file").run(images).at(0);
    EXPECT_LT((got - wanted).abs().max().item<float>(), 1e-5F * wanted.abs().max().item<float>());
  }
  PlainCnn without;
  EXPECT_EQ(to_onnx(trace(without, {1, 3, 8, 8}), profile, 13, {}).opset, 13);
}

TEST(Onnx, GeluWithoutErf) {
  const torch::NoGradGuard no_grad;
  auto config = tiny_maskocr();
  const auto network = make_network(config, 9);
  randomize(*network, 3);
  config.maskocr.activation = "gelu_tanh";
  const auto with_tanh = make_network(config, 9);
  randomize(*with_tanh, 3);
  for (const auto& one : {network, with_tanh}) one->eval();
  const auto graph = trace(*network, {-1, 3, config.height, config.width});
  const auto images = torch::randn({3, 3, config.height, config.width});
  const auto away = [&](Gelu gelu, const torch::Tensor& wanted) {
    auto profile = find_profile("fp32");
    profile.gelu = gelu;
    const auto file = decode_onnx(encode_onnx(to_onnx(graph, profile, 13, {})), "file");
    for (const auto& node : file.nodes) EXPECT_NE(node.op_type, "Erf");
    const auto got = OnnxInterpreter(file, "file").run(images).at(0);
    return ((got - wanted).abs().max() / wanted.abs().max()).item<double>();
  };
  EXPECT_LT(away(Gelu::tanh, with_tanh->forward(images)), 1e-5);
  EXPECT_LT(away(Gelu::tanh, network->forward(images)), 0.005);
  const auto with_sigmoid = away(Gelu::sigmoid, network->forward(images));
  EXPECT_GT(with_sigmoid, 1e-4);
  EXPECT_LT(with_sigmoid, 0.1);
}

}  // namespace
}  // namespace plateforge
