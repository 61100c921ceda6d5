#pragma once

#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <string_view>

namespace plateforge {

// One baseline or progressive JPEG in memory, read with libjpeg-turbo.
class JpegReader {
 public:
  // Reads the header. `name` is for messages; `bytes` must outlive the reader. Throws Error.
  JpegReader(std::string_view bytes, std::string name);
  ~JpegReader();

  cv::Size size() const;
  // 1 (upright) to 8, from the EXIF block.
  int orientation() const;
  // False for CMYK and YCCK files, which libjpeg cannot turn into BGR.
  bool has_bgr() const;
  // The pixels of `region` (inside the picture) as 8-bit BGR; call once. With a reduction of 2, 4
  // or 8 each pixel of the result stands for a square of so many stored ones, counted from the
  // picture's left-top: region.x and region.y must be multiples of it, the last column and row may
  // reach beyond the picture. Throws Error when the file is truncated or corrupt, also when only
  // behind the region.
  cv::Mat read(const cv::Rect& region, int reduction = 1);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace plateforge
