#pragma once

#include <string>
#include <vector>

#include "configs/detection_loss_config.h"
#include "data/frame.h"
#include "models/decode/boxes.h"
#include "train/detection_metrics.h"
#include "train/evaluate.h"

namespace plateforge {

// The frames of a mix in order, letterboxed to the model's size, without augmentation.
Loader plain_frame_loader(const FrameMix& mix, const Model& model, int64_t batch_size);

struct DetectorOptions {
  // What the curves are made of: SCRFD's test settings. The threshold below is no lower.
  DetectOptions decode = {.score = 0.02};
  double score_threshold = DetectOptions().score;  // of a detection that is reported to a user
  DetectionLossConfig loss;
  std::string precision = "fp32";
  torch::Device device = torch::kCPU;
};

struct DetectionEvaluation {
  DetectionMetrics metrics;
  std::vector<FrameResult> results;  // in data order
  double loss = 0;                   // mean over the batches, weighted by their images
  double seconds = 0;                // network and decoding, without reading pictures
};

// Detects in every frame that `next` gives. The one place where a detector is measured: eval mode,
// no gradients, restored afterwards. Pixels are those of the network's input: frames come
// letterboxed, one scale for both axes, which changes neither an IoU nor a corner error in heights
// but for clipping at the input's edge.
DetectionEvaluation evaluate_detector(Network& network, const ModelConfig& config,
                                      const NextBatch& next, const DetectorOptions& options);
// Every frame of a loader that does not shuffle.
DetectionEvaluation evaluate_detector(Network& network, const ModelConfig& config, Loader& frames,
                                      const DetectorOptions& options);

// The plates of image n of a detector's batch.
std::vector<TruePlate> true_plates(const Batch& batch, int64_t n);

}  // namespace plateforge
