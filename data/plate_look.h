#pragma once

#include "data/plate.h"

namespace plateforge {

// What makes a plate easy or hard to read.
struct PlateLook {
  double width = 0;       // of the plate, pixels of its picture: mean of the upper and lower edge
  double brightness = 0;  // mean grey of the rectified plate, 0..255
  double contrast = 0;    // its standard deviation, 0..127.5
  // Standard deviation of the Laplacian of the rectified plate over its contrast: blurred plates
  // have little. The measure of Pech-Pacheco et al. (ICPR 2000), made independent of the light.
  double sharpness = 0;
  double tilt = 0;  // of the upper and lower edge against the horizontal, degrees, 0..90
};

// `size`: that the plate is rectified to, best the reader's input.
PlateLook look_of(const Plate& plate, const cv::Size& size);

}  // namespace plateforge
