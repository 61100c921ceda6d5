#include "export/verify.h"

#include <iostream>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "export/runtimes.h"
#include "models/safetensors.h"
#include "train/commands/commands.h"
#include "train/evaluate_detector.h"
#include "train/exam.h"

namespace po = boost::program_options;

namespace plateforge {
namespace {

ImageStream stream(const ExamPtr& exam) {
  const std::shared_ptr<Loader> loader(new Loader(exam->open(LoaderOptions().batch_size)));
  return [exam, loader]() -> std::optional<JudgedImages> {
    auto batch = loader->next();
    if (!batch) return std::nullopt;
    auto images = batch->images;
    return JudgedImages{
        images, [exam, batch = std::move(*batch)](const torch::Tensor& answers, int64_t first) {
          return exam->judge_answers(answers, rows(batch, first, answers.size(0)));
        }};
  };
}

// Boxes of the plates that count, left, top, right, bottom, in pixels of the input.
nlohmann::json boxes_of(const Batch& batch, int64_t n) {
  auto boxes = nlohmann::json::array();
  for (const auto& plate : true_plates(batch, n))
    if (!plate.ignore) boxes.push_back(plate.box);
  return boxes;
}

// For programs outside, what the runtimes are given: `images` [N, 3, H, W] float as the network
// takes them, and in the metadata a JSON list of N `texts`, or of the `boxes` of N frames.
void write_plates(const Exam& exam, const Model& model, const std::filesystem::path& file) {
  auto loader = exam.open(LoaderOptions().batch_size);
  std::vector<torch::Tensor> images;
  auto known = nlohmann::json::array();
  const bool finds = is_detector(model.config);
  while (const auto batch = loader.next()) {
    images.push_back(normalize(batch->images));
    for (int64_t n = 0; n < batch->size(); ++n) {
      if (finds)
        known.push_back(boxes_of(*batch, n));
      else
        known.push_back(batch->texts[static_cast<size_t>(n)]);
    }
  }
  write_file_atomically(file, serialize_safetensors({{"images", torch::cat(images)}},
                                                    {{finds ? "boxes" : "texts", known.dump()}}));
}

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const auto& name : names) all.append(all.empty() ? "" : ",").append(name);
  return all;
}

}  // namespace

int verify_command(const Args& args) {
  std::string model_file, reference_file, onnx, spec, record_file, json,
      runtimes = joined(runtime_names());
  CropOptions crop;
  RuntimeConfig runtime{.device = "cpu"};
  po::options_description options("options");
  options.add_options()("model", po::value(&model_file)->required(), "model file (.safetensors)")(
      "onnx", po::value(&onnx)->required(), "the written file")(
      "data", po::value(&spec)->required(), "SPEC of labelled samples")(
      "reference", po::value(&reference_file),
      "model whose answers and score are the measure, e.g. the float one; default: --model")(
      "runtime", po::value(&runtimes)->default_value(runtimes), "what runs it, joined by ,")(
      "crop", po::value(&crop.crop)->default_value(crop.crop), "rectify, extents or box")(
      "max-logit-difference", po::value<double>(), "bound; default by the file's profile")(
      "max-relative-logit-difference", po::value<double>(),
      "bound, share of the largest logit; default by the profile")(
      "max-different-texts", po::value<double>(),
      "bound, share of samples; default by the profile")(
      "max-exact-match-drop", po::value<double>(),
      "bound, share of samples; default by the profile")(
      "write-plates", po::value(&record_file),
      "write the network's inputs and the texts here (.safetensors), for tests/bench/runtimes.py")(
      "threads", po::value(&runtime.threads)->default_value(runtime.threads),
      "LibTorch threads; 0 = all cores")("json", po::value(&json),
                                         "write the comparison here; - is standard output");
  po::variables_map values;
  if (!parse_options(args, "plateforge verify --model M --onnx F --data SPEC", options, values))
    return 0;

  set_up_runtime(runtime);
  const auto model = load_model(model_file);
  auto bounds = profile_bounds(onnx);
  const auto override_bound = [&](const char* option, double& bound) {
    if (values.count(option)) bound = values[option].as<double>();
  };
  if (values.count("max-logit-difference") || values.count("max-relative-logit-difference"))
    bounds.logit_difference = bounds.relative_logit_difference = 0;
  override_bound("max-logit-difference", bounds.logit_difference);
  override_bound("max-relative-logit-difference", bounds.relative_logit_difference);
  override_bound("max-different-texts", bounds.different_texts);
  override_bound("max-exact-match-drop", bounds.exact_match_drop);

  const auto exam = open_exam(spec, model, {.crop = crop});
  std::optional<Model> reference;
  if (!reference_file.empty()) reference = load_model(reference_file);
  const auto report = verify_onnx(model, onnx, stream(exam), split_list(runtimes), bounds,
                                  reference ? &*reference : nullptr, exam->names());
  if (!record_file.empty()) write_plates(*exam, model, record_file);
  if (json != "-") std::cout << report.to_text();
  write_json(json, report.to_json());
  return report.holds() ? 0 : 1;
}

}  // namespace plateforge
