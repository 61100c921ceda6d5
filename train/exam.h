#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "compress/quantize/accuracy_bound.h"
#include "data/frame.h"
#include "data/loader.h"
#include "export/verify.h"
#include "models/model_file.h"

namespace plateforge {

// Labelled samples that a network is measured on, and how: plates for a reader, frames for a
// detector. Compression asks no more of what a network is for.
class Exam {
 public:
  virtual ~Exam() = default;
  virtual int64_t size() const = 0;
  // What messages call the samples, and JSON the metric and the share of equal answers.
  virtual AnswerNames names() const = 0;
  // The samples in order as the network takes them, without augmentation.
  virtual Loader open(int64_t batch_size) const = 0;
  // `count` of the samples (all when there are fewer), drawn without repeats by the seed.
  virtual std::shared_ptr<const Exam> draw(int64_t count, uint64_t seed) const = 0;
  // Mean training loss of a batch's outputs, scalar, differentiable. All on one device.
  virtual torch::Tensor loss(const torch::Tensor& outputs, const Batch& batch) const = 0;
  // What each output of a batch is worth by the exam's metric.
  virtual std::vector<Judgement> judge(const torch::Tensor& outputs, const Batch& batch) const = 0;
  // The same of what verify_onnx() compares.
  virtual std::vector<Judgement> judge_answers(const torch::Tensor& answers,
                                               const Batch& batch) const = 0;
  // The same samples as plates, to compare pictures and texts with those of another exam.
  virtual Mix pictures() const = 0;
};
using ExamPtr = std::shared_ptr<const Exam>;

struct ExamOptions {
  CropOptions crop = {};    // readers: how a frame becomes a plate
  std::string metric = {};  // empty: exact_match, iou70
};

// Opens a SPEC for a model. A reader's score of a plate is its metric (a key of ReaderMetrics,
// greedy decoding), turned round where less is better; its answer the text. A detector's score of a
// frame is its metric (iou70, recall, precision, f1, corner_accuracy), of a frame without plates 1
// when nothing was found; its answer the boxes. Throws Error for an unknown metric and for
// everything that opening refuses.
ExamPtr open_exam(const std::string& spec, const Model& model, const ExamOptions& options = {});
ExamPtr plate_exam(const Mix& mix, const Model& model, const std::string& metric = "exact_match");
ExamPtr frame_exam(const FrameMix& mix, const Model& model, const std::string& metric = "iou70");

// Rows first .. first + count - 1 of a batch.
Batch rows(const Batch& batch, int64_t first, int64_t count);

// Throws Error naming two samples when a picture of `calibration` also is one of `measured` (the
// same picture, re-encoded or scaled included).
void require_apart(const Exam& calibration, const Exam& measured);

}  // namespace plateforge
