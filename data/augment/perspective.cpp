#include <algorithm>

#include "data/augment/op.h"

namespace plateforge::augment {

// gfickel/alpr's perspective op, as a move of the quad instead of a second resampling.
void perspective(Geometry& geometry, Rng& rng, double strength) {
  const std::array<cv::Point2d, 4> kInward = {cv::Point2d{1, 1}, {-1, 1}, {-1, -1}, {1, -1}};
  const double most = std::min(0.1 * strength, 0.4);
  std::array<cv::Point2d, 4> offsets;
  for (size_t i = 0; i < 4; ++i) {
    // The picture's corner moves inward, so the sampled quad's corner moves outward.
    offsets[i].x = -kInward[i].x * rng.uniform(0, most);
    offsets[i].y = -kInward[i].y * rng.uniform(0, most);
  }
  geometry.move_corners(offsets);
}

}  // namespace plateforge::augment
