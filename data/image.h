#pragma once

#include <filesystem>
#include <functional>
#include <opencv2/core.hpp>
#include <string>

namespace plateforge {

// A rectangle cut from a picture.
struct ImageRegion {
  cv::Mat image;     // 8-bit BGR
  cv::Point offset;  // of its left-top pixel in the whole picture
};

// Reads a whole picture as 8-bit BGR, turned upright by its EXIF orientation. The content decides
// how it is decoded, not the name: a mismatch is told once per file. Throws Error naming the file
// when it is missing, empty, truncated, corrupt or no picture.
cv::Mat read_image(const std::filesystem::path& file);

// Decodes only the rectangle that `choose` returns for the picture's size (JPEG: rows above are
// skipped, columns outside are not transformed, rows below are not read). EXIF is ignored:
// annotations count stored pixels. `choose` may throw to refuse the picture.
ImageRegion read_image_region(const std::filesystem::path& file,
                              const std::function<cv::Rect(const cv::Size&)>& choose);

}  // namespace plateforge
