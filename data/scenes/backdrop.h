#pragma once

#include <opencv2/core.hpp>

#include "data/rng.h"

namespace plateforge::scenes {

// A made-up background of `size`, 8-bit BGR, with no plate and no writing: a street, a wall with
// its ground, a surface near by, or shapes at random.
cv::Mat paint_backdrop(const cv::Size& size, Rng& rng);

}  // namespace plateforge::scenes
