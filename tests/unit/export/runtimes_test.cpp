#include "export/runtimes.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <filesystem>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "export/onnx_export.h"
#include "export/onnx_writer.h"
#include "models/graph/trace.h"
#include "models/network.h"
#include "tests/support/maskocr.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

std::filesystem::path scratch(const std::string& name) {
  return std::filesystem::path(testing::TempDir()) / name;
}

std::filesystem::path written(Network& network, const Shape& input) {
  const auto file = scratch("runtimes_test.onnx");
  const auto onnx = to_onnx(trace(network, input), find_profile("fp32"), 13, {});
  write_file_atomically(file, encode_onnx(onnx));
  return file;
}

// Every runtime in the process against LibTorch, even and odd channel counts, one and more plates.
TEST(Runtimes, AgreeWithLibTorch) {
  const torch::NoGradGuard no_grad;
  for (const int64_t channels : {0, 4, 5, 7, 16}) {
    const auto network = channels ? NetworkPtr(std::make_shared<ContextCnn>(channels))
                                  : NetworkPtr(std::make_shared<PlainCnn>());
    randomize(*network, 3);
    network->eval();
    for (const int64_t batch : {1, 3}) {
      const auto file = written(*network, {batch, 3, 9, 19});
      const auto images = torch::randn({batch, 3, 9, 19});
      const auto expected = network->forward(images);
      for (const auto& name : runtime_names()) {
        const auto got = open_runtime(name, file)->run(images).at(0);
        ASSERT_EQ(got.sizes(), expected.sizes()) << name;
        EXPECT_LT(((got - expected).abs().max() / expected.abs().max()).item<float>(), 1e-5F)
            << name << ", " << channels << " channels, batch " << batch;
      }
    }
  }
}

// Strips and a grid of patches, both heads, with convolutions in front and without.
TEST(Runtimes, AgreeOnTransformers) {
  const torch::NoGradGuard no_grad;
  auto grid = tiny_maskocr(), convolved = tiny_maskocr(), ctc = tiny_maskocr();
  grid.maskocr.patch_height = 4;
  convolved.maskocr.stem = 8;
  ctc.maskocr.head = "ctc";
  for (const auto& config : {tiny_maskocr(), grid, convolved, ctc}) {
    const auto network = make_network(config, 11, 1);
    randomize(*network, 3);
    network->eval();
    const auto file = written(*network, {1, 3, config.height, config.width});
    const auto images = torch::randn({1, 3, config.height, config.width});
    const auto expected = network->forward(images);
    for (const auto& name : runtime_names()) {
      const auto got = open_runtime(name, file)->run(images).at(0);
      ASSERT_EQ(got.sizes(), expected.sizes()) << name;
      EXPECT_LT(((got - expected).abs().max() / expected.abs().max()).item<float>(), 1e-5F)
          << name << ", head " << config.maskocr.head << ", stem " << config.maskocr.stem;
    }
  }
}

TEST(Runtimes, UnknownNameListsTheKnown) {
  try {
    open_runtime("caffe", "x.onnx");
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_NE(
        std::string(error.what()).find("no runtime 'caffe' in this build; known: builtin opencv"),
        std::string::npos)
        << error.what();
  }
}

// Whether a runtime takes an open batch is its affair; if not, it is one Error.
TEST(Runtimes, OpenBatchRunsOrIsOneError) {
  ContextCnn network(4);
  const auto file = written(network, {-1, 3, 9, 19});
  for (const auto& name : runtime_names()) {
    try {
      EXPECT_EQ(open_runtime(name, file)->run(torch::randn({2, 3, 9, 19})).at(0).size(0), 2)
          << name;
    } catch (const Error& error) {
      EXPECT_EQ(name, "opencv") << error.what();
    }
  }
}

TEST(Runtimes, BrokenFileIsOneError) {
  PlainCnn network;
  const auto file = written(network, {1, 3, 9, 19});
  const auto bytes = read_file(file);
  write_file_atomically(file, bytes.substr(0, bytes.size() / 2));
  for (const auto& name : runtime_names()) EXPECT_THROW(open_runtime(name, file), Error) << name;
}

}  // namespace
}  // namespace plateforge
