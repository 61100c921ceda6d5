#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/decode/boxes.h"
#include "train/average_precision.h"
#include "train/subset_shares.h"

namespace plateforge {

// One frame: what stands there and what was found, both in the same pixels.
struct FrameResult {
  std::vector<TruePlate> plates;
  std::vector<Detection> detections;  // any order; scores below the threshold too, for the curves
  std::string source;                 // its folder names the subset
};

// Metrics of plate detection over a set; a plain accumulator. A plate is found when a detection is
// matched with it (see match_detections) at IoU >= 0.5. What speaks of the threshold sees only
// detections whose score is at least that. Ignored plates count nowhere.
//   iou70        CCPD's rule: share of the frames with plates whose best-scored detection, whatever
//                its score, has IoU > 0.7 with a plate
//   ap50, ap75, ap50_95   average precision, see AveragePrecision
//   precision, recall, f1   at the threshold: plates found / detections, plates found / plates, and
//                their harmonic mean
//   corner_error   of the plates found at the threshold whose corners are known: mean distance of
//                the four corners in percent of the plate's height (mean of its left and right
//                side); mean, median and p95 (between two plates: linear) of the plates
//   corner_accuracy   share of the plates with known corners that are found at the threshold with a
//                corner error of no more than 6 %
//   false_positives_per_empty_frame   detections at the threshold in frames that hold no plate, not
//                even an ignored one, per such frame
//   recall_at_fppi   recall where false positives per frame reach 0.01, 0.1 and 1
//   per_subset, pooled, subset_mean   of iou70, see SubsetShares
// Shares come with Wilson's 95 % interval; the mean corner error with the normal interval of a
// mean.
class DetectionMetrics {
 public:
  explicit DetectionMetrics(double score_threshold = DetectOptions().score)
      : threshold_(score_threshold) {}
  void add(FrameResult frame);

  int64_t samples() const { return frames_; }
  const SubsetShares& iou70() const { return iou70_; }
  Proportion precision() const { return precision_; }
  Proportion recall() const { return recall_; }
  Proportion corner_accuracy() const { return corner_accuracy_; }
  double ap50() const { return average_precision_.at(0); }
  double ap75() const { return average_precision_.at(5); }
  double ap50_95() const { return average_precision_.mean(); }
  double f1() const;
  double false_positives_per_empty_frame() const;  // 0 without such frames
  // Percent; nullopt when no plate with known corners was found.
  struct CornerError {
    double mean = 0, median = 0, p95 = 0;
    std::pair<double, double> interval95;  // of the mean
  };
  std::optional<CornerError> corner_error() const;

  // A metric by its JSON key, for choosing the best weights (corner_error: the mean, infinity when
  // there is none; recall_at_fppi and pooled are not among them); throws Error listing the known
  // keys.
  double value(const std::string& name) const;
  // samples (frames), plates, empty_frames, score_threshold, and the metrics by the names above;
  // interval95 holds [low, high] by key. Numbers, except corner_error {samples, mean, median, p95},
  // recall_at_fppi (list of {false_positives_per_frame, recall, samples, interval95}) and what
  // SubsetShares adds. null: nothing to compute it from.
  nlohmann::json to_json() const;
  std::string to_text() const;  // a table for people

 private:
  void add_corners(const FrameResult& frame, const std::vector<Match>& matches);

  double threshold_;
  AveragePrecision average_precision_;
  int64_t frames_ = 0, empty_detections_ = 0;
  SubsetShares iou70_;
  Proportion precision_, recall_, corner_accuracy_;
  Proportion empty_frames_;            // with a detection at the threshold
  std::vector<double> corner_errors_;  // percent
};

}  // namespace plateforge
