#include "train/exam.h"

#include <algorithm>

#include "configs/error.h"
#include "data/concat.h"
#include "data/frames/frame_batches.h"
#include "data/frames/open_frames.h"
#include "data/frames/split.h"
#include "data/permutation.h"
#include "data/split.h"
#include "data/verify.h"
#include "losses/detection.h"
#include "losses/reader.h"
#include "train/evaluate.h"
#include "train/evaluate_detector.h"

namespace plateforge {
namespace {

std::vector<int64_t> drawn_indices(int64_t size, int64_t count, uint64_t seed) {
  const Permutation shuffled(size, seed);
  std::vector<int64_t> drawn(static_cast<size_t>(std::min(count, size)));
  for (size_t i = 0; i < drawn.size(); ++i) drawn[i] = shuffled(static_cast<int64_t>(i));
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

class PlateExam final : public Exam {
 public:
  PlateExam(Mix mix, const Model& model, std::string metric)
      : mix_(std::move(mix)), model_(model), metric_(std::move(metric)) {
    ReaderMetrics(model.region).value(metric_);  // refuses an unknown one
    time_steps(model.config);                    // refuses what is no reader
  }

  int64_t size() const override { return mix_.size(); }
  AnswerNames names() const override { return {"plates", metric_, "same_text"}; }
  Loader open(int64_t batch_size) const override { return plain_loader(mix_, model_, batch_size); }
  ExamPtr draw(int64_t count, uint64_t seed) const override {
    const auto all = concat(mix_);
    return std::make_shared<PlateExam>(
        Mix{{{subset(all, drawn_indices(all->size(), count, seed)), 1.0, "drawn"}}}, model_,
        metric_);
  }
  torch::Tensor loss(const torch::Tensor& outputs, const Batch& batch) const override {
    return reader_loss(model_.config, outputs, batch.targets, batch.target_lengths,
                       model_.region.blank());
  }
  std::vector<Judgement> judge(const torch::Tensor& outputs, const Batch& batch) const override {
    auto results = read_logits(outputs, model_, "greedy");
    std::vector<Judgement> judgements;
    for (size_t i = 0; i < results.size(); ++i) {
      results[i].truth = batch.texts[i];
      judgements.push_back({score_of(results[i]), results[i].read, {}});
    }
    return judgements;
  }
  std::vector<Judgement> judge_answers(const torch::Tensor& answers,
                                       const Batch& batch) const override {
    return judge(answers, batch);
  }
  Mix pictures() const override { return mix_; }

 private:
  double score_of(const ReadResult& result) const {
    ReaderMetrics one(model_.region);
    one.add(result);
    const auto value = one.value(metric_);
    const bool less_is_better = metric_ == "cer" || metric_ == "wrong_length";
    return less_is_better ? 1 - std::min(1.0, value) : value;
  }

  Mix mix_;
  Model model_;
  std::string metric_;
};

// A frame as one plate that fills it, for whoever compares pictures.
class WholeFrames final : public PlateSource {
 public:
  explicit WholeFrames(FrameSourcePtr frames) : frames_(std::move(frames)) {}
  int64_t size() const override { return frames_->size(); }
  Plate read(const SampleKey& key) const override {
    const auto frame = frames_->read(key);
    return {.image = frame.image,
            .quad = whole_image(frame.image.size()),
            .text = text(key.index),
            .source = frame.source};
  }
  std::string text(int64_t index) const override {
    const auto plates = frames_->plates(index);
    return plates.empty() ? "" : plates[0].text;
  }
  std::string name(int64_t index) const override { return frames_->name(index); }
  bool is_real() const override { return frames_->is_real(); }

 private:
  FrameSourcePtr frames_;
};

class FrameExam final : public Exam {
 public:
  FrameExam(FrameMix mix, const Model& model, std::string metric)
      : mix_(std::move(mix)), model_(model), metric_(std::move(metric)) {
    DetectionMetrics(options_.score_threshold).value(metric_);  // refuses an unknown one
  }

  int64_t size() const override { return mix_.size(); }
  AnswerNames names() const override { return {"frames", metric_, "same_boxes"}; }
  Loader open(int64_t batch_size) const override {
    return plain_frame_loader(mix_, model_, batch_size);
  }
  ExamPtr draw(int64_t count, uint64_t seed) const override {
    const auto all = concat(mix_);
    return std::make_shared<FrameExam>(
        FrameMix{{{subset(all, drawn_indices(all->size(), count, seed)), 1.0, "drawn"}}}, model_,
        metric_);
  }
  torch::Tensor loss(const torch::Tensor& outputs, const Batch& batch) const override {
    return detection_loss(outputs, batch.targets, batch.target_lengths, anchors(batch),
                          model_.config.detector, options_.loss)
        .total();
  }
  std::vector<Judgement> judge(const torch::Tensor& outputs, const Batch& batch) const override {
    return judge_found(
        decode_detections(outputs, anchors(batch), model_.config.detector, options_.decode), batch);
  }
  std::vector<Judgement> judge_answers(const torch::Tensor& answers,
                                       const Batch& batch) const override {
    const auto width = static_cast<float>(batch.images.size(3));
    const auto height = static_cast<float>(batch.images.size(2));
    return judge_found(pick_detections(answers, width, height, options_.decode), batch);
  }
  Mix pictures() const override {
    return {{{std::make_shared<WholeFrames>(concat(mix_)), 1.0, "frames"}}};
  }

 private:
  Anchors anchors(const Batch& batch) const {
    return make_anchors(model_.config.detector, batch.images.size(2), batch.images.size(3));
  }

  std::vector<Judgement> judge_found(std::vector<std::vector<Detection>> found,
                                     const Batch& batch) const {
    std::vector<Judgement> judgements;
    for (size_t i = 0; i < found.size(); ++i) {
      const auto answer = answer_of(found[i]);
      judgements.push_back({score_of(std::move(found[i]),
                                     true_plates(batch, static_cast<int64_t>(i)), answer.empty()),
                            std::to_string(answer.size() / 4) + " plates", answer});
    }
    return judgements;
  }

  // Boxes of the plates that a user is told of, from left to right.
  std::vector<float> answer_of(const std::vector<Detection>& found) const {
    std::vector<Box> boxes;
    for (const auto& plate : found)
      if (plate.score >= options_.score_threshold) boxes.push_back(plate.box);
    std::sort(boxes.begin(), boxes.end());
    std::vector<float> values;
    for (const auto& box : boxes) values.insert(values.end(), box.begin(), box.end());
    return values;
  }
  double score_of(std::vector<Detection> found, std::vector<TruePlate> plates, bool nothing) const {
    if (plates.empty()) return nothing ? 1 : 0;
    DetectionMetrics one(options_.score_threshold);
    one.add({.plates = std::move(plates), .detections = std::move(found), .source = ""});
    return one.value(metric_);
  }

  FrameMix mix_;
  Model model_;
  DetectorOptions options_;
  std::string metric_;
};

}  // namespace

ExamPtr plate_exam(const Mix& mix, const Model& model, const std::string& metric) {
  return std::make_shared<PlateExam>(mix, model, metric);
}

ExamPtr frame_exam(const FrameMix& mix, const Model& model, const std::string& metric) {
  return std::make_shared<FrameExam>(mix, model, metric);
}

ExamPtr open_exam(const std::string& spec, const Model& model, const ExamOptions& options) {
  if (is_detector(model.config))
    return frame_exam(open_frames(spec, model.region, /*seed=*/0), model,
                      options.metric.empty() ? "iou70" : options.metric);
  return plate_exam(open_mix(spec, model.region, options.crop, /*seed=*/0), model,
                    options.metric.empty() ? "exact_match" : options.metric);
}

Batch rows(const Batch& batch, int64_t first, int64_t count) {
  const auto cut = [&](const auto& list) {
    auto part = list;
    if (!list.empty()) part.assign(list.begin() + first, list.begin() + first + count);
    return part;
  };
  Batch part;
  part.images = batch.images.slice(0, first, first + count);
  part.targets = batch.targets.slice(0, first, first + count);
  part.target_lengths = batch.target_lengths.slice(0, first, first + count);
  part.texts = cut(batch.texts);
  part.sources = cut(batch.sources);
  part.letterboxes = cut(batch.letterboxes);
  return part;
}

void require_apart(const Exam& calibration, const Exam& measured) {
  for (const auto& violation : verify_apart(calibration.pictures(), measured.pictures(), {}))
    require(violation.kind != "near",
            "the calibration set overlaps the evaluation set: ", violation.message);
}

}  // namespace plateforge
