#pragma once

#include <torch/types.h>

#include <memory>
#include <string>

#include "models/detector.h"
#include "models/network.h"
#include "optim/optimizer.h"

namespace plateforge {

inline constexpr int64_t kBenchClasses = 68;

// A network with its optimiser and one batch of noise, to be trained on it again and again: the
// time of a step does not depend on what the pictures show.
class BenchStep {
 public:
  // Precision is fp32 or bf16; pictures have the model's height and width.
  BenchStep(NetworkPtr network, const ModelConfig& model, const std::string& precision,
            int64_t batch, torch::Device device);

  torch::Tensor forward();
  // One step; `plain` turns our own operators off.
  void run(bool plain);

 private:
  void draw_labels(int64_t batch);
  void draw_plates(int64_t batch);
  void draw_masks(int64_t batch);
  torch::Tensor loss();

  ModelConfig model_;
  std::string precision_;
  torch::Device device_;
  NetworkPtr network_;
  std::unique_ptr<Optimizer> optimizer_;
  torch::Tensor images_, targets_, lengths_;
  Anchors anchors_;  // of a detector
};

}  // namespace plateforge
