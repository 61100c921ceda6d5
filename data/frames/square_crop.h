#pragma once

#include "configs/frames_config.h"
#include "data/frames/view.h"
#include "data/rng.h"

namespace plateforge {

// The random square of SCRFD (Guo et al., arXiv 2105.04714): its side is a share of the picture's
// short side, drawn from a list; its place is uniform among those inside the picture (around it,
// where it is larger), with the middle of at least one plate inside. Beside that it is turned and
// its corners are moved, which costs no second resampling, and drawn again when no plate would have
// a size from `min_plate` to `max_plate`.
class SquareCrop {
 public:
  explicit SquareCrop(const FramesConfig& config);

  // A view of a picture with these plates; an input that is no square takes a rectangle whose short
  // side is meant. A picture with plates of which only boxes are known is not turned: the box
  // around a turned box would be too large.
  ToPicture draw(const cv::Size& picture, const std::vector<FramePlate>& plates,
                 const cv::Size& input, Rng& rng) const;

 private:
  FramesConfig config_;
};

}  // namespace plateforge
