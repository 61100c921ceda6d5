#pragma once

#include <opencv2/core.hpp>

#include "data/rng.h"

namespace plateforge::scenes {

// A window on one fixed table of 8-bit normal noise, mean 128, standard deviation 32: cheap and the
// same on every machine. At most 3840 x 1300.
cv::Mat grain(const cv::Size& size, Rng& rng);

// 8-bit noise of several octaves, mean about 128. `coarsest` is the size of the largest blobs in
// pixels; each finer octave has `roughness` (0..1) of the amplitude of the one before.
cv::Mat clouds(const cv::Size& size, double coarsest, double roughness, Rng& rng);

// 8-bit BGR: colour `dark` where `tone` is 0, `light` where it is 255.
cv::Mat colourise(const cv::Mat& tone, const cv::Scalar& dark, const cv::Scalar& light);

// Multiplies an 8-bit BGR picture by 1 + depth * (tone - 128) / 128.
void shade(cv::Mat& image, const cv::Mat& tone, double depth);

}  // namespace plateforge::scenes
