#include "export/bundle.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <sstream>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "export/bundle_samples.h"
#include "export/bundle_texts.h"
#include "export/detector_outputs.h"
#include "export/interpreter.h"
#include "export/onnx_reader.h"
#include "export/verify.h"
#include "models/decode/boxes.h"
#include "models/graph/graph.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;
using torch::Tensor;

const BundleTexts& find_bundle(const std::string& runtime) {
  std::string known;
  for (const auto& texts : bundle_texts()) {
    if (texts.name == runtime) return texts;
    known.append(" ").append(texts.name);
  }
  fail("no bundle for '", runtime, "'; known:", known);
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

// reader.json or detector.json: what a program needs to know.
nlohmann::json contract_of(const Model& model, const OnnxModel& onnx, const fs::path& file) {
  nlohmann::json contract = {
      {"file", file.filename().string()},
      {"input", {{"name", "images"}, {"shape", onnx.inputs[0].shape}, {"type", "float32"}}},
      {"preprocessing", nlohmann::json::parse(onnx.metadata.at("preprocessing"))},
      {"region", model.region.name()},
      {"profile", onnx.metadata.at("profile")}};
  for (const auto& output : onnx.outputs)
    contract["outputs"].push_back(
        {{"name", output.name}, {"shape", output.shape}, {"type", "float32"}});
  if (is_detector(model.config)) {
    for (const auto* key : {"strides", "anchors", "score_threshold", "nms_iou"})
      contract[key] = nlohmann::json::parse(onnx.metadata.at(key));
    for (const auto* key : {"form", "fit"}) contract[key] = onnx.metadata.at(key);
  } else {
    contract["decoder"] = onnx.metadata.at("decoder");
    contract["labels"] = labels(model.region);
    contract["blank"] = model.region.blank();
  }
  return contract;
}

const char* meaning_of(DetectorForm form) {
  switch (form) {
    case DetectorForm::decoded:
      return "of every anchor the score 0..1, the box (left, top, right, bottom) and the corners "
             "(left-top, right-top, right-bottom, left-bottom, x and y each), pixels of the input";
    case DetectorForm::heads:
      return "per stride the scores 0..1, the distances from the anchor's centre to left, top, "
             "right, bottom and the corners minus the centre, in strides; the anchor of row i and "
             "column j has its centre at (j stride, i stride)";
    case DetectorForm::rows:
      break;
  }
  return "a row per anchor: score logit, logits of the distances' bins, corners minus centre";
}

// What prove.py says of the network's answer; the count follows kJudgePlates.
std::string answer_of(const Model& model, const OnnxModel& onnx,
                      const std::vector<Tensor>& outputs) {
  if (!is_detector(model.config)) return greedy_texts(outputs.at(0), model).front();
  const double least = std::stod(onnx.metadata.at("score_threshold"));
  int64_t anchors = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto& name = onnx.outputs[i].name;
    const auto first = outputs[i][0];
    if (name == "rows")
      anchors += (first.select(1, 0).sigmoid() >= least).sum().item<int64_t>();
    else if (name.starts_with("score"))
      anchors += (first >= least).sum().item<int64_t>();
  }
  return std::to_string(anchors) + " anchors on plates";
}

// Words of the README and the script that depend on what the model is for.
Words task_words(const Model& model, const OnnxModel& onnx, const std::string& answer) {
  const bool slots = !is_detector(model.config) && reads_slots(model.config);
  if (!is_detector(model.config))
    return {{"CONTRACT", "reader.json"},
            {"TENSORS", "sample-logits.f32"},
            {"LAST", slots ? "step s stands for character s, the last class ends the text"
                           : "the last class is the CTC blank"},
            {"DECODING", slots ? "best class of every step up to the first that says end"
                               : "best class of every step, repeats merged, blanks dropped"},
            {"ANSWER", "reads \"" + answer + "\""},
            {"JUDGE", slots ? kJudgeSlots : kJudgeText}};
  return {{"CONTRACT", "detector.json"},
          {"TENSORS", "sample-NAME.f32"},
          {"ANSWER", "finds " + answer},
          {"JUDGE", kJudgePlates},
          {"MEANING", meaning_of(find_detector_form(onnx.metadata.at("form")))},
          {"SCORE", onnx.metadata.at("score_threshold")},
          {"NMS", onnx.metadata.at("nms_iou")}};
}

std::string outputs_text(const OnnxModel& onnx, const std::vector<Tensor>& outputs) {
  if (outputs.size() == 1) return shape_text(outputs[0].sizes().vec());
  std::string text;
  for (size_t i = 0; i < outputs.size(); ++i)
    text.append(text.empty() ? "`" : ", `")
        .append(onnx.outputs[i].name)
        .append("` ")
        .append(shape_text(outputs[i].sizes().vec()));
  return text;
}

// The plates of decoded outputs as a user is to get them: score, box.
nlohmann::json plates_of(const Model& model, const std::vector<Tensor>& outputs) {
  const auto decoded = torch::cat({outputs.at(0).unsqueeze(2), outputs.at(1), outputs.at(2)}, 2);
  auto plates = nlohmann::json::array();
  const auto found = pick_detections(decoded, static_cast<float>(model.config.width),
                                     static_cast<float>(model.config.height));
  for (const auto& plate : found.at(0))
    plates.push_back({{"score", plate.score}, {"box", plate.box}});
  return plates;
}

double largest(const std::vector<Tensor>& outputs) {
  double value = 0;
  for (const auto& output : outputs) value = std::max(value, output.abs().max().item<double>());
  return value;
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

// The sample behind the network, as our interpreter computes it.
struct SampleRun {
  Tensor images;  // the file's batch, every row the sample
  std::vector<Tensor> outputs;
  std::string answer;    // what prove.py has to say
  double tolerance = 0;  // largest difference of a port's outputs
};

SampleRun run_sample(const Model& model, const Profile& profile, const OnnxModel& onnx,
                     const fs::path& file, const BundleSample& sample) {
  const auto batch = std::max<int64_t>(onnx.inputs[0].shape[0], 1);
  SampleRun run;
  run.images = normalize(sample.image.unsqueeze(0))
                   .expand({batch, 3, model.config.height, model.config.width})
                   .contiguous();
  run.outputs = OnnxInterpreter(onnx, file.string()).run(run.images);
  run.answer = answer_of(model, onnx, run.outputs);
  run.tolerance = std::max(profile.bounds.logit_difference,
                           profile.bounds.relative_logit_difference * largest(run.outputs));
  return run;
}

Words words_of(const BundleTexts& texts, const Model& model, const Profile& profile,
               const OnnxModel& onnx, const fs::path& file, const BundleSample& sample,
               const SampleRun& run) {
  std::ostringstream tolerance;
  tolerance << run.tolerance;
  Words words = {{"MODEL", file.filename().string()},
                 {"STEM", file.stem().string()},
                 {"RUNTIME", texts.runtime},
                 {"PROFILE", profile.name},
                 {"DESCRIPTION", profile.description},
                 {"INPUT", shape_text(run.images.sizes().vec())},
                 {"OUTPUT", outputs_text(onnx, run.outputs)},
                 {"WIDTH", std::to_string(model.config.width)},
                 {"HEIGHT", std::to_string(model.config.height)},
                 {"ORIGIN", sample.origin},
                 {"TOLERANCE", tolerance.str()},
                 {"BATCH", std::to_string(run.images.size(0))},
                 {"TRTFLAGS", trtexec_flags(profile, onnx.inputs[0].shape)}};
  words.merge(task_words(model, onnx, run.answer));
  return words;
}

// sample.png, the tensors before and behind the network, labels.txt and sample.json.
void write_proof(const fs::path& folder, const Model& model, const OnnxModel& onnx,
                 const BundleSample& sample, const SampleRun& run) {
  nlohmann::json proof = {
      {"answer", run.answer}, {"origin", sample.origin}, {"tolerance", run.tolerance}};
  const auto write_tensor = [&](const std::string& name, const Tensor& tensor) {
    proof["shapes"][name] = tensor.sizes().vec();
    write_file_atomically(folder / name, raw(tensor));
  };
  write_file_atomically(folder / "sample.png", png(sample.image));
  write_tensor("sample-input.f32", run.images);
  for (size_t i = 0; i < run.outputs.size(); ++i)
    write_tensor("sample-" + onnx.outputs[i].name + ".f32", run.outputs[i]);
  if (!is_detector(model.config)) {
    std::string lines;
    for (const auto& label : labels(model.region)) lines.append(label).append("\n");
    write_file_atomically(folder / "labels.txt", lines);
    proof["written_on_it"] = sample.text;
  } else if (onnx.metadata.at("form") == "decoded") {
    proof["plates"] = plates_of(model, run.outputs);
  }
  write_file_atomically(folder / "sample.json", proof.dump(2) + "\n");
}

// README.md, prove.py and what the runtime's texts bring besides.
void write_texts(const fs::path& folder, const BundleTexts& texts, const Words& words, bool reads,
                 bool sampled) {
  const std::string readme = std::string(reads ? kReaderReadme : kDetectorReadme) + kProveReadme +
                             (sampled ? kSampleReadme : "") + texts.readme;
  write_file_atomically(folder / "README.md", filled(readme, words));
  const auto script = filled(kProveScript, {{"RUN", texts.run}, {"JUDGE", words.at("JUDGE")}});
  write_file_atomically(folder / "prove.py", filled(script, words));
  for (const auto& [name, content] : texts.files) {
    write_file_atomically(folder / name, filled(content, words));
    fs::permissions(folder / name, fs::perms::owner_exec, fs::perm_options::add);
  }
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

fs::path write_bundle(const std::string& runtime, const Model& model, const Profile& profile,
                      const fs::path& file, const BundleSample& sample) {
  const auto& texts = find_bundle(runtime);
  const auto onnx = read_onnx(file);
  const bool reads = !is_detector(model.config);
  const bool decodes = reads || onnx.metadata.at("form") == "decoded";
  require(decodes || runtime != "deepstream", "--bundle deepstream goes with --outputs decoded");
  const auto run = run_sample(model, profile, onnx, file, sample);
  const auto words = words_of(texts, model, profile, onnx, file, sample, run);

  const auto folder = file.parent_path() / (file.stem().string() + "-" + runtime);
  fs::create_directories(folder);
  write_file_atomically(folder / words.at("CONTRACT"),
                        contract_of(model, onnx, file).dump(2) + "\n");
  write_proof(folder, model, onnx, sample, run);
  const bool sampled = decodes && !texts.infer.empty();
  write_texts(folder, texts, words, reads, sampled);
  if (sampled) write_sample(folder, texts, reads);
  if (runtime == "deepstream") write_deepstream(folder, model, profile, words);
  return folder;
}

}  // namespace plateforge
