#pragma once

#include <opencv2/core/mat.hpp>
#include <string>
#include <string_view>

namespace plateforge {

// Text as it may stand between tags and in quoted attributes.
std::string escape_html(std::string_view text);

// An 8-bit BGR picture as a JPEG that stands in the page itself: data:image/jpeg;base64,...
std::string picture_uri(const cv::Mat& image, int quality = 80);

}  // namespace plateforge
