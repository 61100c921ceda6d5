#pragma once

#include <cstdint>
#include <vector>

#include "models/detector.h"

namespace plateforge {

// Which of two overlapping detections survive. Plain: the better one alone. Soft (Bodla et al.
// 2017, arXiv 1704.04503): the other one's score is multiplied, by 1 - IoU where the IoU exceeds
// the limit (linear), or by exp(-IoU^2 / sigma) (gaussian).
enum class Nms { kPlain, kSoftLinear, kSoftGaussian };

struct DetectOptions {
  // Smallest score of a detection, 0..1, also after soft NMS. Scores are trained to be IoUs
  // (quality focal loss), so that plates lie well above a half; signs are taken for plates in less
  // than one of twenty drawn frames here.
  double score = 0.72;
  double iou = 0.45;              // largest IoU of two detections; not used by kSoftGaussian
  int64_t max_candidates = 1000;  // best-scored anchors that go into NMS
  int64_t max_detections = 100;   // of an image
  Nms nms = Nms::kPlain;
  double sigma = 0.5;         // of kSoftGaussian
  bool clip_corners = false;  // to the input, as boxes always are; false lets corners reach beyond
};

// Plates in each image, best first, pixels of the network's input. `output` [N, A, K] as
// models/detector.h lays it out, any device and float type: one copy to the host, one pass over it,
// box and corners computed for candidates alone. Boxes are clipped to the input (its size rounded
// up to the finest stride); one without area there, or with a NaN, is no detection. Equal scores
// keep the anchors' order.
std::vector<std::vector<Detection>> decode_detections(const torch::Tensor& output,
                                                      const Anchors& anchors,
                                                      const DetectorConfig& config,
                                                      const DetectOptions& options = {});

// [N, A, kDecodedValues] of a network's output: score 0..1, box and corners of every anchor, pixels
// of the network's input, not clipped.
inline constexpr int64_t kDecodedValues = 13;
torch::Tensor decode_rows(const torch::Tensor& output, const Anchors& anchors,
                          const DetectorConfig& config);
// The same of scores [N, A, 1] and, in strides, distances to the sides [N, A, 4] and corners minus
// centre [N, A, 8].
torch::Tensor decode_distances(const torch::Tensor& scores, const torch::Tensor& sides,
                               const torch::Tensor& corners, const Anchors& anchors);

// decode_detections() of what is decoded already; boxes are clipped to width and height.
std::vector<std::vector<Detection>> pick_detections(const torch::Tensor& decoded, float width,
                                                    float height,
                                                    const DetectOptions& options = {});

// Non-maximum suppression by `options`; `detections` in any order and of any number, the survivors
// best first, at most options.max_detections.
std::vector<Detection> suppress(std::vector<Detection> detections, const DetectOptions& options);

}  // namespace plateforge
