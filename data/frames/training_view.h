#pragma once

#include <span>

#include "configs/region.h"
#include "configs/run_config.h"
#include "data/augment.h"
#include "data/frames/letterbox.h"
#include "data/frames/square_crop.h"

namespace plateforge {

// Which frame, and what its random numbers follow from.
struct FramePick {
  const FrameSource* source = nullptr;
  uint64_t seed = 0;
  SampleKey key;
};

// Training inputs from frames: a random square (or four of them, mosaic), then the photometric ops
// of `augment`, for which plates count as 24 pixels high. Immutable and thread-safe. Throws Error
// for ops that move pixels: frames have `frames.rotate` and `frames.perspective` for that.
class TrainingView {
 public:
  TrainingView(const FramesConfig& frames, const AugmentConfig& augment, const Region& region);

  // Writes the view into `out` (its size is the input's) and returns its plates, input pixels.
  std::vector<FramePlate> operator()(const FramePick& pick, cv::Mat& out) const;
  // Four frames, one in each quarter; the quarters' sizes are random.
  std::vector<FramePlate> mosaic(std::span<const FramePick, 4> picks, cv::Mat& out) const;
  // Whether that sample is to be a mosaic.
  bool is_mosaic(const FramePick& pick) const;

 private:
  // Adds the view of one frame to a part of `out`.
  void crop(const FramePick& pick, const cv::Rect& part, cv::Mat& out,
            std::vector<FramePlate>& plates) const;

  FramesConfig config_;
  SquareCrop square_;
  Augmenter augment_;
};

// Writes the letterbox view of a frame into `out` (its size is the input's); `plates` become those
// of the input, none left out or clipped.
Letterbox letterbox_view(const FrameSource& source, const SampleKey& key, cv::Mat& out,
                         std::vector<FramePlate>& plates);

}  // namespace plateforge
