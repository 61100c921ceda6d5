// Writes exported files with inputs and LibTorch's answers for the judges in judge.py:
//   write_cases DIR  ->  DIR/<case>.onnx, DIR/<case>.safetensors (images, logits), DIR/<case>.json
//                        (what the linter expects of it), and bundles in DIR/bundles
#include <torch/utils.h>

#include <filesystem>
#include <iostream>

#include "configs/atomic_file.h"
#include "export/bundle.h"
#include "export/linter.h"
#include "export/onnx_export.h"
#include "export/onnx_writer.h"
#include "export/runtimes.h"
#include "models/graph/trace.h"
#include "models/model_file.h"
#include "tests/support/detectors.h"
#include "tests/support/maskocr.h"
#include "tests/support/min_max.h"
#include "tests/support/small_nets.h"

namespace {

using namespace plateforge;

struct Case {
  std::string name;
  NetworkPtr network;
  int64_t height, width;
  bool deep = false;  // only its norms are random, and fewer forms of it are written
};

NetworkPtr lprnet(const ModelConfig& config) { return make_network(config, 68); }

NetworkPtr detector(const char* name) { return make_network(small_detectors().at(name), 0, 9); }

NetworkPtr maskocr(const char* head, int64_t stem = 0) {
  auto config = tiny_maskocr();
  config.maskocr.head = head;
  config.maskocr.stem = stem;
  return make_network(config, 9);
}

ModelConfig narrow() {
  ModelConfig config;
  config.width_multiplier = 0.375;
  return config;
}

ModelConfig wide_head() {
  ModelConfig config;
  config.head = "t88";
  return config;
}

std::vector<Case> cases() {
  return {{"lprnet", lprnet({}), 24, 94},
          {"lprnet-narrow", lprnet(narrow()), 24, 94},
          {"lprnet-t88", lprnet(wide_head()), 24, 94},
          {"odd-channels", std::make_shared<ContextCnn>(7), 13, 21},
          {"odd-everything", std::make_shared<ContextCnn>(5), 9, 19},
          {"plain", std::make_shared<PlainCnn>(), 12, 20},
          {"maskocr-slots", maskocr("slots"), 8, 24},
          {"maskocr-ctc", maskocr("ctc"), 8, 24},
          {"maskocr-stem", maskocr("slots", 8), 8, 24},
          {"detector-mnv4", detector("mnv4"), 64, 96, true},
          {"detector-hybrid", detector("hybrid"), 51, 75, true},
          {"detector-500m", detector("500m"), 64, 64, true}};
}

// How a case is written: `declared` is the batch in the file, -1 = open.
struct Form {
  std::string profile;
  int64_t batch = 1, declared = 1, opset = 13;
  bool norm_operators = false;
};

std::vector<Form> forms(const Case& item) {
  // Runtimes compile a detector for seconds.
  if (item.name == "detector-mnv4") return {{"fp32", 2, -1}};
  if (item.deep) return {{"fp32", 1, 1, item.name == "detector-hybrid" ? 18 : 13}};
  if (item.name == "maskocr-stem") return {{"fp32", 3, 3}, {"int8-u8", 2, -1}};
  if (item.name.starts_with("maskocr"))
    return {{"fp32", 3, 3},           {"fp32", 2, -1},       {"fp32", 2, -1, 18, true},
            {"fp16", 2, 2, 18, true}, {"int8-u8", 2, -1},    {"int8-u8", 2, -1, 13, true},
            {"int8-dynamic", 1, 1},   {"int8-weights", 1, 1}};
  return {{"fp32", 1, 1},         {"fp32", 3, 3},     {"fp32", 2, -1},      {"fp16", 1, 1},
          {"int8-u8", 1, 1},      {"int8-u8", 2, -1}, {"int8-s8", 1, 1},    {"int8-dynamic", 1, 1},
          {"int8-weights", 1, 1}, {"fp32", 1, 1, 18}, {"int8-u8", 1, 1, 21}};
}

void write_case(const Case& item, const Form& form, const std::filesystem::path& folder) {
  const auto images = torch::randn({form.batch, 3, item.height, item.width});
  auto network = item.network;
  auto profile = find_profile(form.profile);
  profile.norm_operators = form.norm_operators;
  if (profile.holds != "fp32") network = quantize_min_max(*network, images, profile.name);
  const auto name = item.name + "-" + form.profile + (form.declared < 0 ? "-open" : "-batch") +
                    std::to_string(form.batch) +
                    (form.opset > 13 ? "-opset" + std::to_string(form.opset) : "") +
                    (form.norm_operators ? "-norms" : "");
  const auto onnx = to_onnx(trace(*network, {form.declared, 3, item.height, item.width}), profile,
                            form.opset, {{"blank", "67"}, {"profile", profile.name}});
  write_file_atomically(folder / (name + ".onnx"), encode_onnx(onnx));
  write_file_atomically(folder / (name + ".json"), lint(onnx).to_json().dump());
  write_safetensors(folder / (name + ".safetensors"),
                    {{"images", images}, {"logits", network->forward(images).contiguous()}}, {});
}

// Bundles for the runtimes that the judges have, to be proved by their own scripts.
void write_bundles(const Model& model, const ExportOptions& options,
                   const std::filesystem::path& file, const std::vector<std::string>& runtimes) {
  const auto picture =
      torch::randint(256, {3, model.config.height, model.config.width}, torch::dtype(torch::kByte));
  const auto& profile = find_profile("fp32");
  export_onnx(model, profile, file, options);
  for (const auto& runtime : runtimes)
    write_bundle(runtime, model, profile, file, {picture, "", "noise"});
}

void write_bundles(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  auto reader = make_model({}, Region::load("cn"), 7);
  randomize(*reader.network, 11);
  write_bundles(reader, {}, folder / "reader.onnx", {"openvino", "ort", "tvm"});
  auto detector = make_model(small_detectors().at("mnv4"), Region::load("cn"), 7);
  randomize_norms(*detector.network, 11);
  write_bundles(detector, {.form = DetectorForm::decoded}, folder / "decoded.onnx",
                {"openvino", "ort", "tvm"});
  write_bundles(detector, {.form = DetectorForm::heads}, folder / "heads.onnx", {"ort"});
  write_bundles(detector, {.form = DetectorForm::heads, .any_size = true}, folder / "any-size.onnx",
                {"openvino", "ort"});
  write_bundles(detector, {.any_size = true}, folder / "decoded-any-size.onnx",
                {"openvino", "ort"});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_cases DIR\n";
    return 2;
  }
  const torch::NoGradGuard no_grad;
  std::filesystem::create_directories(argv[1]);
  for (const auto& item : cases()) {
    item.deep ? randomize_norms(*item.network, 11) : randomize(*item.network, 11);
    item.network->eval();
    for (const auto& form : forms(item)) write_case(item, form, argv[1]);
  }
  write_bundles(std::filesystem::path(argv[1]) / "bundles");
}
