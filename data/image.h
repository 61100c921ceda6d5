#pragma once

#include <filesystem>
#include <functional>
#include <opencv2/core.hpp>

#include "data/frame.h"

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

// A part of a picture, maybe reduced.
struct ImageView {
  cv::Mat image;      // 8-bit BGR
  cv::Rect region;    // what it shows, pixels of the picture: image.size() * reduction. Reduced, it
                      // may reach beyond the picture by less than `reduction`.
  int reduction = 1;  // 1, 2, 4 or 8
};

// Decodes only what `choose` asks for once the picture's size is known; without it, all (JPEG: as
// read_image_region, and reduced while blocks are transformed; other formats are never reduced).
// `upright`: turned by the EXIF orientation, region included; else stored pixels count. `choose`
// may throw to refuse the picture.
ImageView read_image_view(const std::filesystem::path& file, bool upright,
                          const std::function<FrameView(const cv::Size&)>& choose);

// Writes an 8-bit BGR picture, atomically. Throws Error when the file cannot be written.
void write_png(const std::filesystem::path& file, const cv::Mat& image);

// The size of a picture, read from its header where that is cheap (JPEG).
cv::Size read_image_size(const std::filesystem::path& file, bool upright);

}  // namespace plateforge
