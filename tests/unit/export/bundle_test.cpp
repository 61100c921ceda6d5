#include "export/bundle.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "export/interpreter.h"
#include "export/onnx_export.h"
#include "export/onnx_reader.h"
#include "tests/support/small_nets.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

class Bundle : public testing::Test {
 protected:
  Bundle() : model_(make_model({}, Region::load("cn"), 7)) {
    randomize(*model_.network, 7);
    export_onnx(model_, find_profile("fp32"), file_, {});
    torch::manual_seed(1);
    sample_ = {torch::randint(256, {3, 24, 94}, torch::kByte), "京A12345", "noise"};
  }
  std::filesystem::path write(const std::string& runtime) {
    return write_bundle(runtime, model_, find_profile("fp32"), file_, sample_);
  }

  Model model_;
  TempFolder folder_;
  std::filesystem::path file_ = folder_.path() / "model-fp32.onnx";
  BundleSample sample_;
};

torch::Tensor tensor(const std::filesystem::path& file, const std::vector<int64_t>& shape) {
  auto bytes = read_file(file);
  return torch::from_blob(bytes.data(), shape, torch::kFloat).clone();
}

TEST_F(Bundle, SampleReproducesItsLogits) {
  const auto folder = write("ort");
  EXPECT_EQ(folder.filename(), "model-fp32-ort");
  const auto proof = nlohmann::json::parse(read_file(folder / "sample.json"));
  const auto shapes = proof["shapes"];
  const auto images = tensor(folder / "sample-input.f32", shapes["sample-input.f32"]);
  const auto logits = tensor(folder / "sample-logits.f32", shapes["sample-logits.f32"]);
  EXPECT_TRUE(torch::equal(images[0], normalize(sample_.image.unsqueeze(0))[0]));
  EXPECT_TRUE(torch::equal(OnnxInterpreter(read_onnx(file_), "f").run(images).at(0), logits));
  EXPECT_EQ(proof["written_on_it"], "京A12345");
}

TEST_F(Bundle, LabelsAreTheClassesInOrder) {
  const auto folder = write("openvino");
  const auto reader = nlohmann::json::parse(read_file(folder / "reader.json"));
  EXPECT_EQ(reader["labels"].size(), 68U);
  EXPECT_EQ(reader["labels"][0], "京");
  EXPECT_EQ(reader["labels"][67], "<blank>");
  EXPECT_EQ(reader["blank"], 67);
  EXPECT_EQ(reader["preprocessing"]["mean"], 127.5);
  const auto lines = read_file(folder / "labels.txt");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 68);
}

TEST_F(Bundle, EveryTextIsFilledIn) {
  for (const auto& runtime : bundle_names()) {
    const auto folder = write(runtime);
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const auto suffix = entry.path().extension();
      if (suffix != ".md" && suffix != ".py" && suffix != ".sh" && suffix != ".txt") continue;
      if (entry.path().filename() == "labels.txt") continue;
      const auto text = read_file(entry.path());
      EXPECT_EQ(text.find('@'), std::string::npos) << entry.path() << "\n" << text;
      EXPECT_NE(text.find("model-fp32"), std::string::npos) << entry.path();
    }
  }
}

TEST(Bundles, RuntimeThatTheProfileIsNotForIsOneSentence) {
  const auto refusal = [](const std::string& runtime, const std::vector<std::string>& profiles) {
    try {
      check_bundle(runtime, profiles);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal("tensorrt", {"int8-u8", "int8-s8"}), "");
  EXPECT_EQ(refusal("opencv", {"int8-u8"}),
            "--bundle opencv goes with one of the profiles fp32, not with int8-u8");
  EXPECT_EQ(refusal("caffe", {"fp32"}),
            "no bundle for 'caffe'; known: deepstream opencv openvino ort tensorrt tvm");
}

}  // namespace
}  // namespace plateforge
