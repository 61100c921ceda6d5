#include "train/tasks/detector.h"

#include <iomanip>
#include <sstream>

#include "losses/detection.h"
#include "train/runtime.h"

namespace plateforge {

DetectorTask::DetectorTask(Model model, Loader& val, DetectorOptions options)
    : Task(std::move(model), options.device), val_(val), options_(std::move(options)) {}

torch::Tensor DetectorTask::loss(const Batch& batch) {
  const auto& config = model().config.detector;
  torch::Tensor output;  // [N, A, K]
  {
    const PrecisionGuard precision(options_.precision, options_.device);
    output = network().forward(normalize(batch.images));
  }
  const auto anchors = make_anchors(config, batch.images.size(2), batch.images.size(3));
  return detection_loss(output, batch.targets, batch.target_lengths, anchors, config, options_.loss)
      .total();
}

Evaluation DetectorTask::evaluate() {
  return describe(evaluate_detector(network(), model().config, val_, options_));
}

Evaluation describe(const DetectionEvaluation& measured) {
  const DetectionMetrics& metrics = measured.metrics;
  Evaluation evaluation{.json = metrics.to_json(), .line = {}};
  evaluation.json["loss"] = measured.loss;
  std::ostringstream line;
  line << std::fixed << std::setprecision(4) << "IoU > 0.7 " << metrics.iou70().value()
       << ", AP50-95 " << metrics.ap50_95() << ", recall " << metrics.recall().value()
       << ", precision " << metrics.precision().value();
  if (const auto error = metrics.corner_error())
    line << ", corners " << std::setprecision(2) << error->mean << " %" << std::setprecision(4);
  line << ", loss " << measured.loss << " on " << metrics.samples() << " frames";
  evaluation.line = line.str();
  return evaluation;
}

}  // namespace plateforge
