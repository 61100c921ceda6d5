#pragma once

#include "configs/region.h"
#include "configs/run_config.h"
#include "data/frame.h"

namespace plateforge {

struct FramePreviewOptions {
  int64_t rows = 6;         // frames
  int64_t variants = 4;     // training views of each
  cv::Size size{320, 320};  // network input
  uint64_t seed = 1;
};

// A sheet with one frame per row: the whole of it as evaluation sees it, then training views, each
// with its plates: box, corners joined in their order with a dot on the left-top one, regions to
// ignore crossed out. Frames are drawn from the mix as training draws them.
cv::Mat preview_frames(const FrameMix& mix, const Region& region, const FramesConfig& frames,
                       const AugmentConfig& augment, const FramePreviewOptions& options);

}  // namespace plateforge
