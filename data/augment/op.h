#pragma once

#include <array>
#include <opencv2/core.hpp>
#include <span>

#include "data/plate.h"
#include "data/rng.h"

namespace plateforge::augment {

// Where the pixels of the output come from, before anything is resampled.
struct Geometry {
  Quad quad;             // in the source picture
  cv::Size size;         // of the output
  cv::Mat displacement;  // empty or CV_32FC2 of `size`, in output pixels

  // Moves each corner by a share of the plate's own width and height: offset (1, 0) is one width
  // along the plate's axis, whatever its tilt.
  void move_corners(const std::array<cv::Point2d, 4>& offsets);
};

// Colour changes that are affine in BGR, composed so that one pass over the pixels applies them
// all: out = matrix * (b, g, r, 1).
class ColourMap {
 public:
  explicit ColourMap(const cv::Mat& image) : image_(image) {}

  void then(const cv::Matx34d& next);
  // Mean grey value (Rec. 601) of the picture as it will be after the map so far.
  double mean_grey() const;
  bool is_identity() const { return identity_; }
  // Applies the map in place, saturating, and forgets it.
  void apply(cv::Mat& image);

 private:
  cv::Mat image_;
  cv::Matx34d matrix_ = cv::Matx34d::eye();
  bool identity_ = true;
};

// One operation: exactly one of the three functions is set. `strength` > 0 multiplies the ranges
// named in `doc`. Pixel functions work in place on an 8-bit BGR image and never reallocate it.
// Lengths in `doc` that are given in pixels are for a plate 24 pixels high; `unit` says how many
// pixels of the image stand for one of those, 0 that the image is the plate.
struct Op {
  const char* name;
  const char* doc;
  void (*geometry)(Geometry&, Rng&, double strength) = nullptr;
  void (*colour)(ColourMap&, Rng&, double strength) = nullptr;
  void (*pixels)(cv::Mat&, Rng&, double strength, double unit) = nullptr;
};

// All operations, in the order in which they usually make sense.
std::span<const Op> all_ops();

inline double pixel_unit(const cv::Mat& image, double unit) {
  return unit > 0 ? unit : image.rows / 24.0;
}

void corner_jitter(Geometry& geometry, Rng& rng, double strength);
void perspective(Geometry& geometry, Rng& rng, double strength);
void affine(Geometry& geometry, Rng& rng, double strength);
void elastic(Geometry& geometry, Rng& rng, double strength);
void brightness(ColourMap& colour, Rng& rng, double strength);
void contrast(ColourMap& colour, Rng& rng, double strength);
void saturation(ColourMap& colour, Rng& rng, double strength);
void hue(ColourMap& colour, Rng& rng, double strength);
void white_balance(ColourMap& colour, Rng& rng, double strength);
void grey(ColourMap& colour, Rng& rng, double strength);
void night(ColourMap& colour, Rng& rng, double strength);
void gaussian_blur(cv::Mat& image, Rng& rng, double strength, double unit = 0);
void motion_blur(cv::Mat& image, Rng& rng, double strength, double unit = 0);
void resample(cv::Mat& image, Rng& rng, double strength, double unit = 0);
void sensor_noise(cv::Mat& image, Rng& rng, double strength, double unit = 0);
void jpeg(cv::Mat& image, Rng& rng, double strength, double unit = 0);
void shadow(cv::Mat& image, Rng& rng, double strength, double unit = 0);
void glare(cv::Mat& image, Rng& rng, double strength, double unit = 0);
void dirt(cv::Mat& image, Rng& rng, double strength, double unit = 0);
void cutout(cv::Mat& image, Rng& rng, double strength, double unit = 0);

}  // namespace plateforge::augment
