#pragma once

#include <opencv2/core.hpp>

#include "data/scenes/view.h"

namespace plateforge::scenes {

// A flat thing with a picture on it.
struct Billboard {
  cv::Mat image;     // 8-bit BGR
  cv::Mat alpha;     // 8-bit, its size; empty = opaque everywhere
  cv::Rect2d place;  // in its plane, millimetres
};

// Draws the thing into an 8-bit BGR picture as the view shows it. Edges are antialiased by the
// exact share of a pixel (to first order), reduction is area-like; corners are those of
// view.quad(place). `soften` > 0 is the sigma of a blur of the thing, in picture pixels.
void put(const Billboard& board, const View& view, double soften, cv::Mat& picture);

// 8-bit: how much of each pixel of `window` lies inside a convex quad.
cv::Mat coverage(const Quad& quad, const cv::Rect& window);

// Whole pixels around the quad, inside a picture of this size; empty when there are none.
cv::Rect pixels_of(const Quad& quad, const cv::Size& picture, int margin = 1);

// target += alpha / 255 * (source - target), all of one size.
void blend(const cv::Mat& source, const cv::Mat& alpha, cv::Mat& target);

// The same with one colour; `strength` (0..1) multiplies alpha.
void stain(const cv::Scalar& colour, const cv::Mat& alpha, double strength, cv::Mat& target);

}  // namespace plateforge::scenes
