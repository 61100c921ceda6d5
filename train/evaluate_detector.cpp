#include "train/evaluate_detector.h"

#include <torch/utils.h>

#include <chrono>

#include "data/frames/frame_batches.h"
#include "losses/detection.h"
#include "models/eval_mode.h"
#include "train/runtime.h"

namespace plateforge {

Loader plain_frame_loader(const FrameMix& mix, const Model& model, int64_t batch_size) {
  const LoaderOptions options{
      .batch_size = batch_size, .shuffle = false, .size = input_size(model.config)};
  return {
      make_frame_batches(mix, model.region, FramesConfig(), {.strength = 0, .ops = {}}, options),
      options};
}

std::vector<TruePlate> true_plates(const Batch& batch, int64_t n) {
  const auto targets = batch.targets[n].to(torch::kCPU, torch::kFloat).contiguous();  // [M, 13]
  const auto count = batch.target_lengths[n].item<int64_t>();
  std::vector<TruePlate> plates;
  for (int64_t m = 0; m < count; ++m) {
    const float* value = targets.const_data_ptr<float>() + m * kPlateValues;
    const auto known = static_cast<PlateKnowledge>(static_cast<int>(value[kPlateValues - 1]));
    TruePlate plate{.box = {value[0], value[1], value[2], value[3]},
                    .corners = {},
                    .ignore = known == kIgnoredPlate};
    if (known == kBoxAndCorners) {
      plate.corners.emplace();
      for (size_t i = 0; i < 4; ++i) (*plate.corners)[i] = {value[4 + 2 * i], value[5 + 2 * i]};
    }
    plates.push_back(plate);
  }
  return plates;
}

DetectionEvaluation evaluate_detector(Network& network, const ModelConfig& config,
                                      const NextBatch& next, const DetectorOptions& options) {
  const torch::NoGradGuard no_grad;
  const EvalMode eval_mode(network);
  DetectionEvaluation evaluation{.metrics = DetectionMetrics(options.score_threshold),
                                 .results = {}};
  double loss_sum = 0;
  while (const auto batch = next()) {
    const auto anchors =
        make_anchors(config.detector, batch->images.size(2), batch->images.size(3));
    const auto start = std::chrono::steady_clock::now();
    torch::Tensor output;
    {
      const PrecisionGuard precision(options.precision, options.device);
      output = network.forward(normalize(batch->images.to(options.device)));
    }
    auto found = decode_detections(output, anchors, config.detector, options.decode);
    evaluation.seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    loss_sum += detection_loss(output, batch->targets, batch->target_lengths, anchors,
                               config.detector, options.loss)
                    .total()
                    .item<double>() *
                static_cast<double>(batch->size());
    for (size_t i = 0; i < found.size(); ++i) {
      FrameResult result{.plates = true_plates(*batch, static_cast<int64_t>(i)),
                         .detections = std::move(found[i]),
                         .source = batch->sources[i]};
      evaluation.metrics.add(result);
      evaluation.results.push_back(std::move(result));
    }
  }
  const auto samples = evaluation.metrics.samples();
  evaluation.loss = samples > 0 ? loss_sum / static_cast<double>(samples) : 0;
  return evaluation;
}

DetectionEvaluation evaluate_detector(Network& network, const ModelConfig& config, Loader& frames,
                                      const DetectorOptions& options) {
  frames.seek(0);
  return evaluate_detector(
      network, config, [&] { return frames.next(); }, options);
}

}  // namespace plateforge
