#pragma once

#include "data/frame.h"
#include "data/frames/letterbox.h"

namespace plateforge {

// How a network's input lies on a picture: maps pixels of the input to pixels of the picture, pixel
// centres at integers + 0.5 in both.
using ToPicture = cv::Matx33d;

ToPicture to_picture(const Letterbox& box);

cv::Point2f mapped(const cv::Matx33d& map, const cv::Point2f& point);

// What of a picture an input of that size needs, to be decoded at no less than its resolution.
FrameView view_for(const ToPicture& to_picture, const cv::Size& input);

// Samples an input of `size` from a frame that was read with view_for(). One resampling (bilinear,
// area-like where the input is smaller), grey 128 beyond the picture.
void sample_frame(const Frame& frame, const ToPicture& to_picture, const cv::Size& size,
                  cv::Mat& out);

// Plates as they lie in an input, its pixels. Plates of which nothing is visible are left out;
// those whose middle lies outside the input, that show less than `min_visible` of themselves or are
// narrower than `min_width` pixels become regions to ignore. Boxes are the corners' extents,
// clipped to the input; corners are not clipped. Corners of a mirrored picture are named anew.
struct VisiblePlates {
  double min_visible = 0;
  double min_width = 0;
};
std::vector<FramePlate> plates_in_view(const std::vector<FramePlate>& plates,
                                       const ToPicture& to_picture, const cv::Size& input,
                                       const cv::Size& picture, const VisiblePlates& options);

}  // namespace plateforge
