#pragma once

#include "data/loader.h"
#include "train/evaluate_detector.h"
#include "train/task.h"

namespace plateforge {

// Trains a plate detector: boxes, scores and corners of all plates of a frame in one summed loss.
class DetectorTask : public Task {
 public:
  // `val` gives frames and does not shuffle; options.loss is what is trained.
  DetectorTask(Model model, Loader& val, DetectorOptions options);

  torch::Tensor loss(const Batch& batch) override;
  Evaluation evaluate() override;

 private:
  Loader& val_;
  DetectorOptions options_;
};

// What a validation says of a measured detector.
Evaluation describe(const DetectionEvaluation& measured);

}  // namespace plateforge
