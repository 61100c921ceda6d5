#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "train/average_precision.h"
#include "train/metrics.h"
#include "train/predict/pipeline.h"
#include "train/subset_shares.h"

namespace plateforge {

// One frame: what stands there and what detector and reader made of it, pixels of the picture.
struct SystemResult {
  std::vector<TruePlate> plates;
  std::vector<std::string> texts;  // of the plates, in order; empty = not known
  std::vector<FoundPlate> found;   // best score first
  std::string source;              // its folder names the subset
};

// Metrics of a detector and a reader together, as CCPD's authors define them (Xu et al., ECCV
// 2018); a plain accumulator. Plates without a text and ignored ones count nowhere.
//   iou70           share of the frames with plates whose best-scored detection has IoU > 0.7 with
//                   a plate
//   end_to_end      share of the plates that a detection overlaps with IoU > 0.6 and that is read
//                   with all its characters
//   end_to_end70    the same at IoU > 0.7
//   end_to_end_without_region   end_to_end without the region's character
//   by_length       end_to_end by the characters of the truth
//   false_positives_per_frame   detections that overlap no plate with IoU > 0.6, per frame
//   reading         ReaderMetrics of the plates that were overlapped: what the reader alone misses
//   crops           recognition on crops of the annotation: rectified by the vertices, their
//                   extents, CCPD's own box
class SystemMetrics {
 public:
  explicit SystemMetrics(const Region& region) : region_(region), reading_(region) {}
  void add(const SystemResult& frame);
  void add_crop(const std::string& crop, const ReadResult& result);

  int64_t samples() const { return frames_; }
  const SubsetShares& iou70() const { return iou70_; }
  const SubsetShares& end_to_end() const { return end_to_end_; }
  const SubsetShares& without_region() const { return without_region_; }
  int64_t false_positives() const { return false_positives_; }

  // samples, plates, false_positives_per_frame, by_length, reading, and an object per share above
  // as SubsetShares gives it; crops by name.
  nlohmann::json to_json() const;
  std::string to_text() const;  // a table for people
  // The pooled shares beside published ones, each with its protocol; empty without CCPD's subsets.
  std::string published_text() const;

 private:
  Region region_;
  ReaderMetrics reading_;
  SubsetShares iou70_, end_to_end_, end_to_end70_, without_region_;
  struct Crop {
    SubsetShares exact, without_region;
  };
  std::map<std::string, Crop> crops_;
  std::map<size_t, Proportion> by_length_;
  int64_t frames_ = 0, plates_ = 0, false_positives_ = 0;
};

}  // namespace plateforge
