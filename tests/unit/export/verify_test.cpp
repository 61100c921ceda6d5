#include "export/verify.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "export/onnx_export.h"
#include "export/onnx_reader.h"
#include "export/onnx_writer.h"
#include "export/portable.h"
#include "export/runtimes.h"
#include "models/graph/trace.h"
#include "tests/support/min_max.h"
#include "tests/support/small_nets.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

const ParityBounds kTight{.logit_difference = 2e-3};

// Random plates, judged by what they are read as.
ImageStream random_plates(const Model& model, int64_t count) {
  return [images = random_images(model.config, count, 1), model]() -> std::optional<JudgedImages> {
    auto next = images();
    if (next)
      next->judge = [model](const torch::Tensor& outputs, int64_t) {
        std::vector<Judgement> judgements;
        for (auto& text : greedy_texts(outputs, model)) judgements.push_back({0, text, {}});
        return judgements;
      };
    return next;
  };
}

class Verify : public testing::Test {
 protected:
  Verify() : model_(make_model({}, Region::load("cn"), 7)) {
    randomize(*model_.network, 7);
    export_onnx(model_, find_profile("fp32"), file_, {});
  }
  ParityReport verify(const std::vector<std::string>& runtimes, int64_t plates = 3) {
    return verify_onnx(model_, file_, random_plates(model_, plates), runtimes, kTight);
  }
  // Multiplies one weight tensor in the file.
  void spoil(float factor) {
    auto onnx = read_onnx(file_);
    for (auto& [name, value] : onnx.initializers) {
      if (name == "container.0.weight") value = value * factor;
    }
    write_file_atomically(file_, encode_onnx(onnx));
  }

  Model model_;
  std::filesystem::path file_ = std::filesystem::path(testing::TempDir()) / "verify_test.onnx";
};

TEST_F(Verify, LprNetHasThePublishedMacsAndParameters) {
  const auto graph = trace(*model_.network, {1, 3, 24, 94});
  EXPECT_EQ(parameters(graph), 446976);
  EXPECT_NEAR(static_cast<double>(macs(graph)), 144.4e6, 0.05e6);
}

TEST_F(Verify, WrittenLprNetHoldsInEveryRuntime) {
  const auto report = verify(runtime_names());
  EXPECT_TRUE(report.holds()) << report.to_text();
  EXPECT_EQ(report.samples, 3);
  const auto json = report.to_json();
  EXPECT_EQ(json["runtimes"]["opencv"]["same_text"], 1.0);
  EXPECT_LT(json["runtimes"]["builtin"]["max_abs_logit_difference"], 2e-3);
}

TEST_F(Verify, OpenBatchHoldsAndShortBatchesAreCounted) {
  export_onnx(model_, find_profile("fp32"), file_, {.batch = 0});
  EXPECT_EQ(verify({"builtin"}, 18).samples, 18);
  export_onnx(model_, find_profile("fp32"), file_, {.batch = 4});
  const auto report = verify(runtime_names(), 6);
  EXPECT_TRUE(report.holds()) << report.to_text();
  EXPECT_EQ(report.runtimes[0].samples, 6);
}

TEST_F(Verify, FileWithAnotherWeightFails) {
  spoil(1.5F);
  const auto report = verify({"builtin", "opencv"});
  EXPECT_FALSE(report.holds());
  EXPECT_NE(report.to_text().find("logit difference"), std::string::npos) << report.to_text();
}

TEST_F(Verify, NotANumberIsAnInfiniteDifference) {
  spoil(std::numeric_limits<float>::quiet_NaN());
  const auto report = verify({"builtin"});
  EXPECT_FALSE(report.holds());
  EXPECT_TRUE(std::isinf(report.runtimes[0].max_abs_logit_difference));
}

TEST_F(Verify, FileOfAnotherModelIsOneError) {
  auto config = model_.config;
  config.width = 100;
  const auto other = make_model(config, model_.region, 7);
  EXPECT_THROW(verify_onnx(other, file_, random_images(config, 1, 1), {"builtin"}, kTight), Error);
}

TEST_F(Verify, MetadataSaysAllThatAReaderNeeds) {
  const auto metadata = read_onnx(file_).metadata;
  const auto preprocessing = nlohmann::json::parse(metadata.at("preprocessing"));
  EXPECT_EQ(preprocessing["channels"], "BGR");
  EXPECT_EQ(preprocessing["width"], 94);
  EXPECT_EQ(preprocessing["scale"], 0.0078125);
  EXPECT_EQ(nlohmann::json::parse(metadata.at("alphabet")).size(), 67U);
  EXPECT_EQ(metadata.at("blank"), "67");
  EXPECT_EQ(metadata.at("profile"), "fp32");
  EXPECT_EQ(profile_bounds(file_).different_texts, 0);
}

// A quantised model, its float twin and its file.
class VerifyQuantized : public testing::Test {
 protected:
  VerifyQuantized() : twin_(make_model({}, Region::load("cn"), 7)), model_(twin_) {
    randomize(*twin_.network, 7);
    torch::manual_seed(7);
    model_.network =
        quantize_min_max(*twin_.network, torch::rand({4, 3, 24, 94}) * 2 - 1, "int8-u8");
    export_onnx(model_, find_profile("int8-u8"), file_, {});
  }
  ParityReport verify(const Model* reference = nullptr) {
    return verify_onnx(model_, file_, random_plates(model_, 3), {"builtin"},
                       find_profile("int8-u8").bounds, reference);
  }
  // Changes the file in place: `edit` gets a tensor by its name.
  void edit(const std::string& name, const std::function<void(torch::Tensor&)>& change) {
    auto onnx = read_onnx(file_);
    bool found = false;
    for (auto& [known, value] : onnx.initializers)
      if (known == name) change(value), found = true;
    ASSERT_TRUE(found) << name;
    write_file_atomically(file_, encode_onnx(onnx));
  }

  Model twin_, model_;
  TempFolder folder_;
  std::filesystem::path file_ = folder_.path() / "quantized.onnx";
};

TEST_F(VerifyQuantized, FileHolds) {
  const auto report = verify();
  EXPECT_TRUE(report.holds()) << report.to_text();
  EXPECT_EQ(report.to_json()["runtimes"]["builtin"]["same_text"], 1.0);
}

TEST_F(VerifyQuantized, OneByteOfAWeightIsCaught) {
  edit("container.0.weight", [](torch::Tensor& weight) {
    auto first = weight.flatten()[5];
    first.fill_(first.item<int8_t>() ^ 1);  // the smallest change there is
  });
  const auto report = verify();
  EXPECT_FALSE(report.holds());
  EXPECT_NE(report.to_text().find("edited: a tensor or node"), std::string::npos)
      << report.to_text();
}

TEST_F(VerifyQuantized, OneScaleIsCaught) {
  edit("images.quantizer.scale", [](torch::Tensor& scale) { scale = scale * 1.0001F; });
  EXPECT_FALSE(verify().holds());
}

TEST_F(VerifyQuantized, AnotherAlphabetIsCaught) {
  auto onnx = read_onnx(file_);
  onnx.metadata["blank"] = "3";
  write_file_atomically(file_, encode_onnx(onnx));
  const auto report = verify();
  ASSERT_EQ(report.edits.size(), 1U);
  EXPECT_EQ(report.edits[0], "the metadata's 'blank' is not the model's");
}

TEST_F(VerifyQuantized, FileWrittenAgainByOtherToolsHolds) {
  auto onnx = read_onnx(file_);
  onnx.producer_name = "another tool", onnx.metadata["note"] = "mine";
  write_file_atomically(file_, encode_onnx(onnx));
  EXPECT_TRUE(verify().holds()) << verify().to_text();
}

TEST_F(VerifyQuantized, TextsAreComparedWithTheReference) {
  const auto report = verify(&twin_);
  EXPECT_FALSE(report.own_reference);
  const auto json = report.to_json();
  // The file reads what its model reads, so both agree with the float twin equally often.
  EXPECT_EQ(json["runtimes"]["builtin"]["same_text"], json["same_text"]);
  EXPECT_NE(report.to_text().find("reference"), std::string::npos);
}

TEST_F(VerifyQuantized, ReferenceWithAnotherInputIsOneError) {
  auto config = twin_.config;
  config.width = 100;
  const auto other = make_model(config, twin_.region, 7);
  EXPECT_THROW(verify(&other), Error);
}

TEST(Runtimes, WhatIsNotInstalledIsSaidPlainly) {
  for (const std::string name : {"onnxruntime", "tvm", "tensorrt"}) {
    try {
      check_runtime(name);
      FAIL() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("does not run inside plateforge"),
                std::string::npos);
    }
  }
}

TEST(Profiles, UnknownProfileListsTheAvailable) {
  try {
    find_profile("int8");
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "no export profile 'int8'; available: fp32 fp16 int8-u8 int8-s8 "
                 "int8-dynamic int8-weights");
  }
}

}  // namespace
}  // namespace plateforge
