#include "export/detector_outputs.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <map>

#include "export/onnx_export.h"
#include "export/onnx_reader.h"
#include "export/runtimes.h"
#include "export/verify.h"
#include "models/decode/boxes.h"
#include "models/eval_mode.h"
#include "models/graph/execute.h"
#include "models/graph/trace.h"
#include "tests/support/detectors.h"
#include "tests/support/problem.h"
#include "tests/support/small_nets.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

constexpr DetectorForm kForms[] = {DetectorForm::rows, DetectorForm::heads, DetectorForm::decoded};

Model detector(const ModelConfig& config) {
  auto model = make_model(config, Region::load("cn"), 3);
  randomize(*model.network, 3);
  model.network->eval();
  return model;
}

Anchors anchors_of(const ModelConfig& config) {
  return make_anchors(config.detector, config.height, config.width);
}

void expect_near(const torch::Tensor& got, const torch::Tensor& wanted, const std::string& what) {
  ASSERT_EQ(got.sizes(), wanted.sizes()) << what;
  const auto scale = std::max(1.0, wanted.abs().max().item<double>());
  EXPECT_LT((got - wanted).abs().max().item<double>(), 1e-4 * scale) << what;
}

TEST(DetectorOutputs, EveryFormSaysWhatTheNetworkSays) {
  const torch::NoGradGuard no_grad;
  for (auto [name, config] : small_detectors()) {
    config.width = 96;  // not square: rows and columns must not be mixed up
    const auto model = detector(config);
    const auto images = torch::rand({2, 3, config.height, config.width}) * 2 - 1;
    const auto wanted =
        decode_rows(model.network->forward(images), anchors_of(config), config.detector);
    const auto graph = trace(*model.network, {2, 3, config.height, config.width});
    for (const auto form : kForms) {
      const auto outputs = execute(with_outputs(graph, config, form), {images});
      EXPECT_EQ(outputs.size(), output_names(config.detector, form).size());
      expect_near(plates_of(outputs, config, form), wanted, name + detector_form_name(form));
    }
  }
}

// What the network joined for its one output is not in the file.
TEST(DetectorOutputs, HeadsAreNotJoined) {
  for (const auto& [name, config] : small_detectors()) {
    const auto model = detector(config);
    const auto graph = with_outputs(trace(*model.network, {-1, 3, config.height, config.width}),
                                    config, DetectorForm::heads);
    for (const auto& node : graph.nodes) {
      if (graph.shape(node.output).size() != 3) continue;  // the neck's, not the head's
      EXPECT_FALSE(node.as<op::Slice>()) << name << " " << node.name;
      EXPECT_FALSE(node.as<op::Concat>()) << name << " " << node.name;
    }
  }
}

// ONNX has Resize's scales in float alone; ONNX Runtime refuses a file with others.
TEST(DetectorOutputs, Fp16FilesScaleInFloat) {
  const auto model = detector(small_detectors().at("mnv4"));
  const auto onnx = make_onnx(model, find_profile("fp16"), {});
  const std::map initializers(onnx.initializers.begin(), onnx.initializers.end());
  int64_t resizes = 0;
  for (const auto& node : onnx.nodes) {
    if (node.op_type != "Resize") continue;
    ++resizes;
    EXPECT_EQ(initializers.at(node.inputs.at(2)).scalar_type(), torch::kFloat) << node.name;
  }
  EXPECT_GT(resizes, 0);
}

TEST(DetectorOutputs, NamesAndShapesAreThoseOfParsers) {
  const auto config = small_detectors().at("mnv4");  // 64 x 64: 8 x 8, 4 x 4 and 2 x 2 locations
  const auto model = detector(config);
  const auto heads =
      make_onnx(model, find_profile("fp32"), {.batch = 0, .form = DetectorForm::heads});
  std::vector<std::string> names;
  for (const auto& output : heads.outputs) names.push_back(output.name);
  EXPECT_EQ(names, (std::vector<std::string>{"score_8", "score_16", "score_32", "bbox_8", "bbox_16",
                                             "bbox_32", "kps_8", "kps_16", "kps_32"}));
  const auto anchors = static_cast<int64_t>(config.detector.anchor_scales.size());
  EXPECT_EQ(heads.outputs[0].shape, (Shape{-1, 64 * anchors, 1}));
  EXPECT_EQ(heads.outputs[4].shape, (Shape{-1, 16 * anchors, 4}));
  EXPECT_EQ(heads.outputs[8].shape, (Shape{-1, 4 * anchors, 8}));
  const auto decoded = make_onnx(model, find_profile("fp32"), {});
  EXPECT_EQ(decoded.outputs[0].shape, (Shape{1, 84 * anchors}));
  EXPECT_EQ(decoded.metadata.at("task"), "detector");
  EXPECT_EQ(decoded.metadata.at("form"), "decoded");
  EXPECT_EQ(decoded.metadata.at("output"), "scores,boxes,corners");
}

TEST(DetectorOutputs, PickingFromDecodedPlatesIsDecoding) {
  const torch::NoGradGuard no_grad;
  const auto config = small_detectors().at("mnv4");
  const auto model = detector(config);
  const auto output = model.network->forward(torch::rand({3, 3, 64, 64}) * 2 - 1);
  const auto anchors = anchors_of(config);
  const auto scores = decode_rows(output, anchors, config.detector).select(2, 0);
  const DetectOptions options{.score = scores.quantile(0.9).item<double>()};
  const auto one = decode_detections(output, anchors, config.detector, options);
  const auto other =
      pick_detections(decode_rows(output, anchors, config.detector), 64, 64, options);
  ASSERT_EQ(one.size(), other.size());
  for (size_t n = 0; n < one.size(); ++n) {
    ASSERT_FALSE(one[n].empty());
    ASSERT_EQ(one[n].size(), other[n].size());
    for (size_t i = 0; i < one[n].size(); ++i) {
      EXPECT_NEAR(one[n][i].score, other[n][i].score, 1e-5);
      for (size_t k = 0; k < 4; ++k) {
        EXPECT_NEAR(one[n][i].box[k], other[n][i].box[k], 1e-2);
        EXPECT_NEAR(one[n][i].corners[k].x, other[n][i].corners[k].x, 1e-2);
      }
    }
  }
}

TEST(DetectorOutputs, FilesSayTheSameInEveryRuntime) {
  const TempFolder folder;
  for (const auto& [name, config] : small_detectors()) {
    const auto model = detector(config);
    for (const auto form : kForms) {
      const auto file = folder.path() / (name + detector_form_name(form) + ".onnx");
      export_onnx(model, find_profile("fp32"), file, {.form = form});
      const auto report = verify_onnx(model, file, random_images(config, 2, 1), runtime_names(),
                                      {.relative_logit_difference = 1e-4});
      EXPECT_TRUE(report.holds()) << name << " " << detector_form_name(form) << "\n"
                                  << report.to_text();
    }
  }
}

// Written at 64 x 64, run at 96 x 160.
TEST(DetectorOutputs, OneFileTakesEverySize) {
  const torch::NoGradGuard no_grad;
  const TempFolder folder;
  auto config = small_detectors().at("mnv4");
  const auto model = detector(config);
  for (const auto form : kForms) {
    const auto file = folder.path() / "any-size.onnx";
    export_onnx(model, find_profile("fp32"), file, {.batch = 0, .form = form, .any_size = true});
    EXPECT_EQ(read_onnx(file).inputs[0].shape, (Shape{-1, 3, -1, -1}));
    const auto images = torch::rand({2, 3, 96, 160}) * 2 - 1;
    auto larger = config;
    larger.height = 96, larger.width = 160;
    const auto wanted =
        decode_rows(model.network->forward(images), anchors_of(larger), larger.detector);
    for (const auto& name : runtime_names()) {
      if (name == "opencv") continue;  // takes no open batch
      const auto outputs = open_runtime(name, file)->run(images);
      expect_near(plates_of(outputs, larger, form), wanted, name + detector_form_name(form));
    }
  }
}

TEST(DetectorOutputs, SizesThatCannotBeOpenAreRefused) {
  const auto refusal = [](const std::string& name, ExportOptions options, int64_t width = 64) {
    auto config = small_detectors().at(name);
    config.width = width;
    options.any_size = true;
    return problem_of([&] { make_onnx(detector(config), find_profile("fp32"), options); });
  };
  EXPECT_EQ(refusal("mnv4", {.form = DetectorForm::heads}, 72),
            "the size cannot be open: the model's own, 72x64, must be a multiple of its coarsest "
            "stride 32");
  EXPECT_NE(refusal("hybrid", {.form = DetectorForm::heads}).find("attention"), std::string::npos);
}

TEST(DetectorOutputs, UnknownFormIsNamed) {
  EXPECT_EQ(problem_of([] { find_detector_form("boxes"); }),
            "a detector's file has no outputs 'boxes'; known: rows heads decoded");
}

}  // namespace
}  // namespace plateforge
