#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "models/box.h"
#include "models/detector.h"
#include "train/metrics.h"

namespace plateforge {

// A plate that stands in a frame, in the pixels of the detections.
struct TruePlate {
  Box box{};
  std::optional<std::array<Point, 4>> corners;  // left-top, right-top, right-bottom, left-bottom
  bool ignore = false;                          // finding it counts neither for nor against
};

// What a detection was matched with at one IoU threshold.
struct Match {
  int64_t plate = -1;    // index of the plate; -1: none, a false positive
  bool ignored = false;  // the plate is ignored, so the detection does not count
};

// COCO's matching: detections, best first, each take the free plate of the highest IoU that is at
// least `threshold` (equal: the later one); ignored plates only when no other fits, and any number
// of detections may share one. IoU with an ignored plate is intersection / detection's area.
std::vector<Match> match_detections(const std::vector<Detection>& best_first,
                                    const std::vector<TruePlate>& plates, double threshold);

// Average precision as COCO defines it (pycocotools, all areas, 100 detections per frame): mean
// over the recalls 0, 0.01 .. 1 of the best precision at that recall or above, detections of all
// frames in order of their scores (equal scores: order of frames). 0 without plates.
class AveragePrecision {
 public:
  static constexpr size_t kThresholds = 10;  // IoU 0.5, 0.55 .. 0.95
  static double threshold(size_t index);

  void add(const std::vector<Detection>& best_first, const std::vector<TruePlate>& plates);

  double at(size_t threshold_index) const;
  double mean() const;  // over the thresholds: AP50-95
  // The share of plates found (IoU >= 0.5) with the lowest score limit at which false positives per
  // frame, frames without plates included, are no more than this.
  Proportion recall_at(double false_positives_per_frame) const;

 private:
  struct Scored {
    float score = 0;
    std::array<bool, kThresholds> right{}, ignored{};
  };
  std::vector<Scored> best_first() const;

  std::vector<Scored> detections_;
  int64_t plates_ = 0, frames_ = 0;
};

}  // namespace plateforge
