#include "export/bundle.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <sstream>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "export/bundle_texts.h"
#include "export/interpreter.h"
#include "export/onnx_reader.h"
#include "export/verify.h"
#include "models/graph/graph.h"

namespace plateforge {
namespace {

using torch::Tensor;
using Words = std::map<std::string, std::string>;  // what stands for @KEY@

const BundleTexts& find_bundle(const std::string& runtime) {
  std::string known;
  for (const auto& texts : bundle_texts()) {
    if (texts.name == runtime) return texts;
    known.append(" ").append(texts.name);
  }
  fail("no bundle for '", runtime, "'; known:", known);
}

std::string filled(std::string text, const Words& words) {
  for (const auto& [key, value] : words) {
    const auto mark = "@" + key + "@";
    for (auto at = text.find(mark); at != std::string::npos;
         at = text.find(mark, at + value.size()))
      text.replace(at, mark.size(), value);
  }
  return text;
}

std::string raw(const Tensor& values) {
  const auto dense = values.to(torch::kFloat).contiguous();
  return {static_cast<const char*>(dense.data_ptr()), dense.nbytes()};
}

std::string png(const Tensor& image) {
  auto pixels = image.permute({1, 2, 0}).contiguous();  // [H, W, 3]
  const cv::Mat view(static_cast<int>(pixels.size(0)), static_cast<int>(pixels.size(1)), CV_8UC3,
                     pixels.data_ptr());
  std::vector<uchar> bytes;
  TORCH_CHECK(cv::imencode(".png", view, bytes), "cannot encode a PNG");
  return {bytes.begin(), bytes.end()};
}

std::vector<std::string> labels(const Region& region) {
  auto all = region.alphabet();
  all.emplace_back("<blank>");
  return all;
}

nlohmann::json reader_json(const Model& model, const OnnxModel& onnx) {
  return {{"input", {{"name", "images"}, {"shape", onnx.inputs[0].shape}, {"type", "float32"}}},
          {"output", {{"name", "logits"}, {"shape", onnx.outputs[0].shape}, {"type", "float32"}}},
          {"preprocessing", nlohmann::json::parse(onnx.metadata.at("preprocessing"))},
          {"decoder", onnx.metadata.at("decoder")},
          {"labels", labels(model.region)},
          {"blank", model.region.blank()},
          {"region", model.region.name()},
          {"profile", onnx.metadata.at("profile")}};
}

// TensorRT's flags for the profile, and for an open batch.
std::string trtexec_flags(const Profile& profile, const Shape& input) {
  std::string flags = profile.half                 ? "--fp16"
                      : profile.holds == "int8-s8" ? "--int8 --fp16"
                                                   : "--noTF32";
  if (input[0] >= 0) return flags;
  const auto shape = [&](int64_t batch) {
    std::ostringstream text;
    text << "images:" << batch << "x" << input[1] << "x" << input[2] << "x" << input[3];
    return text.str();
  };
  return flags + " --minShapes=" + shape(1) + " --optShapes=" + shape(1) +
         " --maxShapes=" + shape(16);
}

}  // namespace

const std::vector<std::string>& bundle_names() {
  static const auto names = [] {
    std::vector<std::string> all;
    for (const auto& texts : bundle_texts()) all.push_back(texts.name);
    return all;
  }();
  return names;
}

bool bundle_fits(const std::string& runtime, const Profile& profile) {
  const auto& name = find_bundle(runtime).runtime;
  return std::find(profile.runtimes.begin(), profile.runtimes.end(), name) !=
         profile.runtimes.end();
}

void check_bundle(const std::string& runtime, const std::vector<std::string>& profiles) {
  std::string asked, fitting;
  for (const auto& name : profiles) {
    if (bundle_fits(runtime, find_profile(name))) return;
    asked.append(asked.empty() ? "" : ",").append(name);
  }
  for (const auto& profile : plateforge::profiles())
    if (bundle_fits(runtime, profile)) fitting.append(" ").append(profile.name);
  fail("--bundle ", runtime, " goes with one of the profiles", fitting, ", not with ", asked);
}

std::filesystem::path write_bundle(const std::string& runtime, const Model& model,
                                   const Profile& profile, const std::filesystem::path& file,
                                   const BundleSample& sample) {
  const auto& texts = find_bundle(runtime);
  const auto onnx = read_onnx(file);
  auto input_shape = onnx.inputs[0].shape;
  input_shape[0] = std::max<int64_t>(input_shape[0], 1);
  const auto images = normalize(sample.image.unsqueeze(0)).expand(input_shape).contiguous();
  const auto logits = OnnxInterpreter(onnx, file.string()).run(images);
  const auto text = greedy_texts(logits, model.region).front();
  const auto& bounds = profile.bounds;
  const auto tolerance = std::max(bounds.logit_difference, bounds.relative_logit_difference *
                                                               logits.abs().max().item<double>());

  auto output_shape = logits.sizes().vec();
  const auto stem = file.stem().string();
  std::ostringstream tolerance_text;
  tolerance_text << tolerance;
  const Words words = {{"MODEL", file.filename().string()},
                       {"STEM", stem},
                       {"RUNTIME", texts.runtime},
                       {"PROFILE", profile.name},
                       {"DESCRIPTION", profile.description},
                       {"INPUT", shape_text(input_shape)},
                       {"OUTPUT", shape_text(output_shape)},
                       {"WIDTH", std::to_string(model.config.width)},
                       {"HEIGHT", std::to_string(model.config.height)},
                       {"ORIGIN", sample.origin},
                       {"TEXT", text},
                       {"TOLERANCE", tolerance_text.str()},
                       {"TRTFLAGS", trtexec_flags(profile, onnx.inputs[0].shape)}};

  const auto folder = file.parent_path() / (stem + "-" + runtime);
  std::filesystem::create_directories(folder);
  const auto write = [&](const std::string& name, const std::string& content) {
    write_file_atomically(folder / name, content);
  };
  std::string lines;
  for (const auto& label : labels(model.region)) lines.append(label).append("\n");
  write("labels.txt", lines);
  write("reader.json", reader_json(model, onnx).dump(2) + "\n");
  write("sample.png", png(sample.image));
  write("sample-input.f32", raw(images));
  write("sample-logits.f32", raw(logits));
  const nlohmann::json proof = {
      {"text", text},
      {"written_on_it", sample.text},
      {"origin", sample.origin},
      {"tolerance", tolerance},
      {"shapes", {{"sample-input.f32", input_shape}, {"sample-logits.f32", output_shape}}}};
  write("sample.json", proof.dump(2) + "\n");
  write("README.md", filled(kBundleReadme + texts.readme, words));
  write("prove.py", filled(filled(kProveScript, {{"RUN", texts.run}}), words));
  for (const auto& [name, content] : texts.files) {
    write(name, filled(content, words));
    std::filesystem::permissions(folder / name, std::filesystem::perms::owner_exec,
                                 std::filesystem::perm_options::add);
  }
  return folder;
}

}  // namespace plateforge
