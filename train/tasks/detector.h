#pragma once

#include "data/loader.h"
#include "models/model_file.h"
#include "train/evaluate_detector.h"
#include "train/task.h"

namespace plateforge {

// Trains a plate detector: boxes, scores and corners of all plates of a frame in one summed loss.
class DetectorTask : public Task {
 public:
  // `val` gives frames and does not shuffle; options.loss is what is trained. The network is moved
  // to the device and to channels_last.
  DetectorTask(Model model, Loader& val, DetectorOptions options);

  Network& network() override { return *model_.network; }
  torch::Tensor loss(const Batch& batch) override;
  Evaluation evaluate() override;
  void save(const std::filesystem::path& file,
            const std::map<std::string, std::string>& provenance) override;

 private:
  Model model_;
  Loader& val_;
  DetectorOptions options_;
};

// What a validation says of a measured detector.
Evaluation describe(const DetectionEvaluation& measured);

}  // namespace plateforge
