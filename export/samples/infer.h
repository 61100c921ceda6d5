// Runs an exported file in one runtime: infer.cpp.
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

// `images` float32 [N, 3, H, W]; the outputs, float32, in the order of `names`.
std::vector<cv::Mat> infer(const std::string& file, const cv::Mat& images,
                           const std::vector<std::string>& names);
