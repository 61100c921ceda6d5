#pragma once

#include <opencv2/core.hpp>

#include "data/plate.h"

namespace plateforge {

// The projective map that takes the unit square (0,0) (1,0) (1,1) (0,1) onto a quad's corners
// (Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.3).
struct Homography {
  // x = (a u + b v + c) / (g u + h v + 1), y = (d u + e v + f) / (g u + h v + 1)
  double a, b, c, d, e, f, g, h;

  explicit Homography(const Quad& quad);
  cv::Point2f operator()(double u, double v) const {
    const double w = 1.0 / (g * u + h * v + 1.0);
    return {static_cast<float>((a * u + b * v + c) * w),
            static_cast<float>((d * u + e * v + f) * w)};
  }
};

// True when the corners turn clockwise on the screen without a fold and no edge is shorter than
// a hundredth of a pixel: only then is the map above one to one.
bool is_convex(const Quad& quad);

// Prepares `image` for bilinear samples that lie r.x and r.y source pixels apart: reduction then
// looks like cv::INTER_AREA at the cost of bilinear sampling. Box filtering by r has variance
// (r^2 + 1) / 12 around a source pixel and bilinear sampling 2 / 12, so the source is smoothed by
// [k, 1 - 2k, k] with the missing variance 2k = (r^2 - 1) / 12 on each axis, after an area
// reduction by a whole factor where r is 3 or more. Returns how much smaller `out` is than `image`
// (1: as large). `out` is `image` itself where nothing is to be done, else good until the thread's
// next call.
cv::Point2f antialias(const cv::Mat& image, cv::Point2d r, cv::Mat& out);

// rectify() with a displacement per output pixel: `displacement` is empty or CV_32FC2 of `size`, in
// output pixels, and says where from the output rectangle a pixel is taken.
void warp(const cv::Mat& image, const Quad& quad, const cv::Mat& displacement, const cv::Size& size,
          cv::Mat& out);

}  // namespace plateforge
