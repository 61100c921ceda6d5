#include "export/verify.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <memory>
#include <sstream>
#include <utility>

#include "configs/error.h"
#include "export/fingerprint.h"
#include "export/gelu.h"
#include "export/onnx_export.h"
#include "export/onnx_reader.h"
#include "export/runtimes.h"
#include "models/decode/read.h"
#include "models/eval_mode.h"
#include "models/graph/trace.h"

namespace plateforge {
namespace {

using torch::Tensor;

constexpr int64_t kOpenBatch = 16;  // plates at once for a file whose batch is open

// The tensor that answers are compared and judged by, of what a network or a file gave: a reader's
// logits [N, C, T], a detector's decoded plates [N, A, 13].
class Answers {
 public:
  Answers(const Model& model, DetectorForm form) : config_(model.config), form_(form) {}
  Tensor of_network(const Tensor& output) const { return of({output}, DetectorForm::rows); }
  Tensor of_file(const std::vector<Tensor>& outputs) const { return of(outputs, form_); }

  // What of two answers is compared, by ParityBounds::least_score.
  Tensor matters(const Tensor& one, const Tensor& other, double least_score) const {
    if (!is_detector(config_)) return torch::ones_like(one, torch::kBool);
    const auto score = torch::maximum(one.slice(2, 0, 1), other.slice(2, 0, 1));
    auto matters = (score >= least_score).expand_as(one).clone();
    matters.slice(2, 0, 1).fill_(true);
    return matters;
  }

 private:
  Tensor of(const std::vector<Tensor>& outputs, DetectorForm form) const {
    if (is_detector(config_)) return plates_of(outputs, config_, form).contiguous();
    return outputs.at(0).contiguous();
  }

  ModelConfig config_;
  DetectorForm form_;
};

// What a batch is measured by: the model's outputs, the reference's answers, the judge.
struct Expected {
  Tensor outputs;
  std::vector<Judgement> answers;
  std::function<std::vector<Judgement>(const Tensor& outputs)> judge;
};

// What a file takes and gives, without the batch.
struct Declared {
  int64_t batch = 0;  // of an inference
  std::vector<Shape> outputs;
};

// Apart from the batch; an open extent fits any.
bool fits(const Shape& shape, const Shape& wanted) {
  return shape.size() == wanted.size() &&
         std::equal(shape.begin() + 1, shape.end(), wanted.begin() + 1,
                    [](int64_t own, int64_t other) { return own < 0 || own == other; });
}

// A runtime under test with its running comparison. After a refusal it takes no more batches.
class Candidate {
 public:
  Candidate(const std::string& name, const std::filesystem::path& file, const ParityBounds& bounds)
      : bounds_(bounds) {
    parity_.runtime = name;
    attempt([&] { runtime_ = open_runtime(name, file); });
  }

  void compare(const Tensor& images, const Declared& declared, const Answers& answers,
               const Expected& expected) {
    if (!parity_.refusal.empty()) return;
    attempt([&] {
      const auto outputs = runtime_->run(images);
      for (size_t i = 0; i < outputs.size(); ++i)
        require(fits(outputs[i].sizes().vec(), declared.outputs[i]), parity_.runtime,
                " answers with shape ", shape_text(outputs[i].sizes().vec()), ", the model with ",
                shape_text(declared.outputs[i]));
      add(answers.of_file(outputs), answers, expected);
    });
  }

  RuntimeParity& parity() { return parity_; }

 private:
  void add(const Tensor& all, const Answers& read, const Expected& expected) {
    const auto used = static_cast<int64_t>(expected.answers.size());  // the rest fills the batch up
    const auto outputs = all.slice(0, 0, used), wanted = expected.outputs.slice(0, 0, used);
    // The same infinity or NaN in both agrees; any other non-finite value is an infinite
    // difference.
    const auto same = (outputs == wanted) | (outputs.isnan() & wanted.isnan());
    const auto ignored = same | ~read.matters(outputs, wanted, bounds_.least_score);
    const auto gap = torch::where(ignored, 0.0, (outputs - wanted).abs().to(torch::kDouble));
    const auto largest = torch::nan_to_num(gap, INFINITY).max().item<double>();
    parity_.max_abs_logit_difference = std::max(parity_.max_abs_logit_difference, largest);
    const auto answers = expected.judge(outputs);
    for (size_t i = 0; i < answers.size(); ++i) {
      parity_.same += same_answer(answers[i], expected.answers[i], bounds_.moved_box);
      parity_.score += answers[i].score;
    }
    parity_.samples += used;
  }

  void attempt(const auto& action) {
    try {
      action();
    } catch (const Error& problem) {
      parity_.refusal = problem.what();
    }
  }

  ParityBounds bounds_;
  RuntimeParity parity_;
  RuntimePtr runtime_;
};

double share(double part, int64_t whole) { return whole ? part / static_cast<double>(whole) : 0; }
double share(int64_t part, int64_t whole) { return share(static_cast<double>(part), whole); }

std::string words(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

void check_bounds(RuntimeParity& parity, const ParityReport& report) {
  if (!parity.refusal.empty()) return;
  const auto& bounds = report.bounds;
  const auto check = [&](const char* what, double value, double bound) {
    if (value <= bound) return;
    std::ostringstream text;
    text << what << " " << value << " is above " << bound;
    parity.violations.push_back(text.str());
  };
  check("logit difference", parity.max_abs_logit_difference,
        std::max(bounds.logit_difference, bounds.relative_logit_difference * report.max_abs_logit));
  check("share of different answers", share(parity.samples - parity.same, parity.samples),
        bounds.different_texts);
  check((words(report.names.score) + " drop").c_str(),
        share(report.reference_score - parity.score, parity.samples), bounds.exact_match_drop);
}

DetectorForm form_of(const OnnxModel& onnx) {
  const auto form = onnx.metadata.find("form");
  return form == onnx.metadata.end() ? DetectorForm::rows : find_detector_form(form->second);
}

// Checks that the file takes and gives what the model does.
Declared declared_by(const Model& model, const OnnxModel& onnx, const std::filesystem::path& file) {
  require(onnx.inputs.size() == 1, file.string(), " has ", onnx.inputs.size(),
          " inputs, expected one");
  const auto& input = onnx.inputs[0].shape;
  const Shape wanted{-1, 3, model.config.height, model.config.width};
  require(fits(input, wanted), "the input of ", file.string(), " is ", shape_text(input),
          ", the model takes ", shape_text(wanted));
  auto graph = trace(*model.network, {1, 3, model.config.height, model.config.width});
  if (is_detector(model.config))
    graph = with_outputs(std::move(graph), model.config, form_of(onnx));
  require(onnx.outputs.size() == graph.outputs.size(), file.string(), " has ", onnx.outputs.size(),
          " outputs, the model ", graph.outputs.size());
  Declared declared{input[0] < 0 ? kOpenBatch : input[0], {}};
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const auto& own = graph.shape(graph.outputs[i]);
    require(fits(onnx.outputs[i].shape, own), "the output '", onnx.outputs[i].name, "' of ",
            file.string(), " is ", shape_text(onnx.outputs[i].shape), ", the model answers with ",
            shape_text(own));
    declared.outputs.push_back(own);
  }
  return declared;
}

// Batches of one size for files with a static batch: a short one is filled up with zeros.
Tensor fill_up(const Tensor& images, int64_t batch) {
  if (images.size(0) == batch) return images.contiguous();
  auto shape = images.sizes().vec();
  shape[0] = batch - images.size(0);
  return torch::cat({images, torch::zeros(shape, images.options())}).contiguous();
}

std::vector<std::string> edits_of(const Model& model, const OnnxModel& onnx) {
  std::vector<std::string> edits;
  const auto& metadata = onnx.metadata;
  const auto kept = metadata.find(kFingerprintKey);
  if (kept != metadata.end() && kept->second != fingerprint(onnx))
    edits.push_back("a tensor or node is not what was written: fingerprint " + fingerprint(onnx) +
                    ", written " + kept->second);
  for (const auto& [key, value] : onnx_metadata(model, "", form_of(onnx))) {
    if (key == "profile" || key == "tool_version") continue;
    const auto found = metadata.find(key);
    if (found != metadata.end() && found->second != value)
      edits.push_back("the metadata's '" + key + "' is not the model's");
  }
  return edits;
}

void check_reference(const Model& model, const Model& reference) {
  require(reference.region.alphabet() == model.region.alphabet() &&
              reference.config.width == model.config.width &&
              reference.config.height == model.config.height,
          "the reference has another alphabet or input size than the model");
}

}  // namespace

std::vector<std::string> greedy_texts(const Tensor& logits, const Model& model) {
  const auto values = logits.contiguous();  // [N, C, T]
  const auto classes = values.size(1), steps = values.size(2);
  std::vector<std::string> texts;
  for (int64_t n = 0; n < values.size(0); ++n) {
    const LogProbs view{values[n].data_ptr<float>(), steps, classes, 1, steps};
    texts.push_back(model.region.decode(
        read_greedy(view, model.region.blank(), reads_slots(model.config)).symbols));
  }
  return texts;
}

bool ParityReport::holds() const {
  return edits.empty() && std::all_of(runtimes.begin(), runtimes.end(),
                                      [](const RuntimeParity& parity) { return parity.holds(); });
}

nlohmann::json ParityReport::to_json() const {
  nlohmann::json json = {{"samples", samples},
                         {names.same, share(same, samples)},
                         {"max_abs_logit", max_abs_logit},
                         {"holds", holds()},
                         {"edits", edits},
                         {"bounds",
                          {{"max_abs_logit_difference", bounds.logit_difference},
                           {"relative_logit_difference", bounds.relative_logit_difference},
                           {"different_texts", bounds.different_texts},
                           {"exact_match_drop", bounds.exact_match_drop}}}};
  if (names.scored()) {
    json[names.score] = share(score, samples);
    json["reference_" + names.score] = share(reference_score, samples);
  }
  for (const auto& parity : runtimes) {
    auto& entry = json["runtimes"][parity.runtime];
    entry["holds"] = parity.holds();
    if (!parity.refusal.empty()) {
      entry["refusal"] = parity.refusal;
      continue;
    }
    entry["samples"] = parity.samples;
    entry["max_abs_logit_difference"] = parity.max_abs_logit_difference;
    entry[names.same] = share(parity.same, parity.samples);
    entry["violations"] = parity.violations;
    if (!names.scored()) continue;
    entry[names.score] = share(parity.score, parity.samples);
    entry[names.score + "_difference"] = share(parity.score - reference_score, parity.samples);
  }
  return json;
}

std::string ParityReport::to_text() const {
  std::ostringstream out;
  out << std::left << std::setw(10) << "runtime" << std::right << std::setw(16) << "logit diff"
      << std::setw(13) << words(names.same);
  if (names.scored()) out << std::setw(13) << words(names.score);
  out << "  verdict\n";
  const auto row = [&](const std::string& name, double difference, double alike, double exact,
                       const std::string& verdict) {
    out << std::left << std::setw(10) << name << std::right << std::setw(16) << std::scientific
        << std::setprecision(2) << difference << std::fixed << std::setprecision(4) << std::setw(13)
        << alike;
    if (names.scored()) out << std::setw(13) << exact;
    out << "  " << verdict << "\n";
  };
  if (!own_reference)
    row("reference", 0, 1, share(reference_score, samples), "answers are compared with these");
  row("libtorch", 0, share(same, samples), share(score, samples),
      "the model, " + std::to_string(samples) + " " + names.samples);
  for (const auto& parity : runtimes) {
    if (!parity.refusal.empty()) {
      out << std::left << std::setw(10) << parity.runtime << "  refused: " << parity.refusal
          << "\n";
      continue;
    }
    std::string verdict = parity.holds() ? "ok" : "";
    for (const auto& violation : parity.violations) {
      verdict.append(verdict.empty() ? "" : "; ").append(violation);
    }
    row(parity.runtime, parity.max_abs_logit_difference, share(parity.same, parity.samples),
        share(parity.score, parity.samples), verdict);
  }
  for (const auto& edit : edits) out << "edited: " << edit << "\n";
  return out.str();
}

ParityReport verify_onnx(const Model& model, const std::filesystem::path& file,
                         const ImageStream& samples, const std::vector<std::string>& runtimes,
                         const ParityBounds& bounds, const Model* other, const AnswerNames& names) {
  const torch::NoGradGuard no_grad;
  const auto& reference = other ? *other : model;
  check_reference(model, reference);
  ParityReport report;
  report.names = names;
  report.bounds = bounds;
  report.own_reference = !other;
  const EvalMode model_at_rest(*model.network), reference_at_rest(*reference.network);
  const auto onnx = read_onnx(file);
  const auto declared = declared_by(model, onnx, file);
  const auto batch = declared.batch;
  const Answers answers(model, form_of(onnx));
  report.edits = edits_of(model, onnx);
  std::vector<Candidate> candidates;
  for (const auto& name : runtimes) {
    check_runtime(name);  // an unknown name is the user's mistake, not a refusal
    candidates.emplace_back(name, file, bounds);
  }

  while (const auto next = samples()) {
    for (int64_t first = 0; first < next->images.size(0); first += batch) {
      const auto used = std::min(batch, next->images.size(0) - first);
      const auto images = fill_up(normalize(next->images.slice(0, first, first + used)), batch);
      const auto judge = [&](const Tensor& outputs) { return next->judge(outputs, first); };
      const auto answer = [&](const Model& by) {
        return answers.of_network(by.network->forward(images));
      };
      Expected expected{answer(model), {}, judge};
      const auto own = judge(expected.outputs.slice(0, 0, used));
      expected.answers = other ? judge(answer(reference).slice(0, 0, used)) : own;
      for (size_t i = 0; i < own.size(); ++i) {
        report.score += own[i].score;
        report.same += same_answer(own[i], expected.answers[i], bounds.moved_box);
        report.reference_score += expected.answers[i].score;
      }
      report.samples += used;
      report.max_abs_logit =
          std::max(report.max_abs_logit, expected.outputs.abs().max().item<double>());
      for (auto& candidate : candidates) candidate.compare(images, declared, answers, expected);
    }
  }
  require(report.samples > 0, "there is nothing to verify ", file.string(), " on");
  for (auto& candidate : candidates) {
    check_bounds(candidate.parity(), report);
    report.runtimes.push_back(candidate.parity());
  }
  return report;
}

ParityBounds profile_bounds(const std::filesystem::path& file) {
  const auto metadata = read_onnx(file).metadata;
  const auto profile = metadata.find("profile");
  require(profile != metadata.end(), file.string(),
          " does not say its profile in metadata_props: give the bounds");
  auto bounds = find_profile(profile->second).bounds;
  if (const auto gelu = metadata.find("gelu"); gelu != metadata.end())
    allow_for(find_gelu(gelu->second), bounds);
  return bounds;
}

ImageStream random_images(const ModelConfig& config, int64_t count, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto images = torch::randint(256, {count, 3, config.height, config.width}, generator,
                                     torch::dtype(torch::kByte));
  return [images, done = false]() mutable -> std::optional<JudgedImages> {
    if (std::exchange(done, true)) return std::nullopt;
    return JudgedImages{images, [](const Tensor& outputs, int64_t) {
                          return std::vector<Judgement>(static_cast<size_t>(outputs.size(0)));
                        }};
  };
}

}  // namespace plateforge
