#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "data/frames/corners.h"
#include "data/frames/open_frames.h"
#include "tests/support/problem.h"
#include "tests/support/temp_folder.h"

namespace plateforge {

namespace fs = std::filesystem;

inline const std::string kCcpdFrames = "ccpd:" PLATEFORGE_ROOT "/tests/data/ccpd";

inline const Region& cn() {
  static const Region region = Region::load("cn");
  return region;
}

inline FrameMix open_all(const std::string& spec, std::vector<Violation>* violations = nullptr) {
  return open_frames(spec, cn(), 1, violations);
}

inline void write_text(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

// Red grows to the right, green downwards, so that a pixel tells where it came from.
inline cv::Mat gradient(const cv::Size& size) {
  cv::Mat image(size, CV_8UC3);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      image.at<cv::Vec3b>(y, x) = {60, static_cast<uint8_t>(255 * y / size.height),
                                   static_cast<uint8_t>(255 * x / size.width)};
    }
  }
  return image;
}

inline void write_picture(const fs::path& file, const cv::Mat& image = gradient({200, 100}),
                          const std::vector<int>& options = {}) {
  fs::create_directories(file.parent_path());
  ASSERT_TRUE(cv::imwrite(file.string(), image, options));
}

// The picture of a JPEG file as a file with that EXIF orientation.
inline std::string with_orientation(const std::string& jpeg, char orientation) {
  const std::string exif(
      "\xff\xe1\x00\x22"
      "Exif\0\0"
      "II*\0\x08\0\0\0"
      "\x01\0"
      "\x12\x01\x03\0"
      "\x01\0\0\0",
      28);
  return jpeg.substr(0, 2) + exif + std::string({orientation, 0, 0, 0, 0, 0, 0, 0}) +
         jpeg.substr(2);
}

// Frames made in memory: one size, one list of plates for all.
class DrawnFrames final : public FrameSource {
 public:
  DrawnFrames(cv::Mat image, std::vector<FramePlate> plates, int64_t count = 1)
      : image_(std::move(image)), plates_(std::move(plates)), count_(count) {}
  int64_t size() const override { return count_; }
  std::vector<FramePlate> plates(int64_t) const override { return plates_; }
  std::string name(int64_t index) const override { return "drawn " + std::to_string(index); }
  bool is_real() const override { return true; }
  Frame read(const SampleKey& key, const ChooseView& choose) const override {
    if (choose) choose(image_.size(), plates_);
    return {image_, {{0, 0}, image_.size()}, 1, plates_, name(key.index)};
  }

 private:
  cv::Mat image_;
  std::vector<FramePlate> plates_;
  int64_t count_;
};

inline FramePlate plate_with(const Quad& corners) {
  return {.box = extents(corners), .corners = corners, .text = ""};
}

inline void expect_near(const Quad& a, const Quad& b, double tolerance) {
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(a[i].x, b[i].x, tolerance) << "corner " << i;
    EXPECT_NEAR(a[i].y, b[i].y, tolerance) << "corner " << i;
  }
}

}  // namespace plateforge
