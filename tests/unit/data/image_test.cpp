#include "data/image.h"

#include <gtest/gtest.h>

#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "data/jpeg.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> frames() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(PLATEFORGE_ROOT "/tests/data/ccpd")) {
    files.push_back(entry.path());
  }
  return files;
}

std::string problem_of(const fs::path& file) {
  try {
    read_image(file);
  } catch (const Error& problem) {
    return problem.what();
  }
  return "";
}

// A smooth coloured picture with something in each corner.
cv::Mat drawing(const cv::Size& size) {
  cv::Mat image(size, CV_8UC3);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      image.at<cv::Vec3b>(y, x) = cv::Vec3b(static_cast<uint8_t>(255 * x / size.width),
                                            static_cast<uint8_t>(255 * y / size.height),
                                            static_cast<uint8_t>(x < y ? 40 : 200));
    }
  }
  return image;
}

std::string encode(const cv::Mat& image, const std::string& extension,
                   const std::vector<int>& options = {}) {
  std::vector<uchar> bytes;
  cv::imencode(extension, image, bytes, options);
  return {bytes.begin(), bytes.end()};
}

fs::path write(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
  return file;
}

TEST(ReadImage, JpegLikeOpenCv) {
  for (const auto& file : frames()) {
    const cv::Mat ours = read_image(file), theirs = cv::imread(file.string());
    ASSERT_EQ(ours.size(), theirs.size());
    EXPECT_EQ(cv::norm(ours, theirs, cv::NORM_INF), 0);
  }
}

TEST(ReadImageRegion, EqualsTheCutFromTheWholePicture) {
  const std::vector<cv::Rect> regions = {{0, 0, 720, 1160},   {0, 0, 40, 30},
                                         {231, 489, 387, 63}, {17, 33, 1, 1},
                                         {700, 1140, 20, 20}, {5, 1001, 700, 7}};
  for (const auto& file : frames()) {
    const cv::Mat whole = read_image(file);
    for (const auto& region : regions) {
      const auto cut = read_image_region(file, [&](const cv::Size& size) {
        EXPECT_EQ(size, whole.size());
        return region;
      });
      EXPECT_EQ(cut.offset, region.tl());
      ASSERT_EQ(cut.image.size(), region.size());
      EXPECT_EQ(cv::norm(cut.image, whole(region), cv::NORM_INF), 0) << region;
    }
  }
}

TEST(ReadImageRegion, ProgressiveAndGreyJpegAndPng) {
  TempFolder folder;
  const cv::Mat image = drawing({99, 77});
  cv::Mat grey;
  cv::cvtColor(image, grey, cv::COLOR_BGR2GRAY);
  const std::vector<fs::path> files = {
      write(folder.path() / "p.jpg", encode(image, ".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1})),
      write(folder.path() / "g.jpg", encode(grey, ".jpg")),
      write(folder.path() / "a.png", encode(image, ".png"))};
  const cv::Rect region(31, 20, 40, 30);
  for (const auto& file : files) {
    const cv::Mat whole = cv::imread(file.string());
    const auto cut = read_image_region(file, [&](const cv::Size&) { return region; });
    EXPECT_EQ(cv::norm(cut.image, whole(region), cv::NORM_INF), 0) << file;
  }
}

TEST(ReadImage, ContentCountsNotTheName) {
  TempFolder folder;
  const cv::Mat image = drawing({50, 20});
  const auto file = write(folder.path() / "really-a-png.jpg", encode(image, ".png"));
  testing::internal::CaptureStderr();
  EXPECT_EQ(cv::norm(read_image(file), image, cv::NORM_INF), 0);
  read_image(file);
  const std::string told = testing::internal::GetCapturedStderr();
  const auto first = told.find("is a PNG file despite its name");
  EXPECT_NE(first, std::string::npos) << told;
  EXPECT_EQ(told.find("despite its name", first + 20), std::string::npos) << "told twice";
}

TEST(ReadImage, RefusesDamagedFilesNamingThem) {
  TempFolder folder;
  const std::string whole = read_file(frames().front());
  const auto truncated = write(folder.path() / "cut.jpg", whole.substr(0, whole.size() * 3 / 4));
  EXPECT_NE(problem_of(truncated).find("cut.jpg is a damaged JPEG: Premature end"),
            std::string::npos)
      << problem_of(truncated);
  // The missing part lies behind the region: still a damaged file.
  EXPECT_THROW(read_image_region(truncated, [](const cv::Size&) { return cv::Rect(0, 0, 8, 8); }),
               Error);
  EXPECT_NE(problem_of(write(folder.path() / "head.jpg", whole.substr(0, 40))), "");
  EXPECT_EQ(problem_of(write(folder.path() / "none.jpg", "")),
            (folder.path() / "none.jpg").string() + " is empty (0 bytes); expected a picture");
  EXPECT_NE(problem_of(write(folder.path() / "text.jpg", "hello")).find("cannot be decoded"),
            std::string::npos);
  const std::string png = encode(drawing({64, 64}), ".png");
  EXPECT_NE(problem_of(write(folder.path() / "bad.png", png.substr(0, 60))), "");
  EXPECT_NE(problem_of(folder.path() / "missing.jpg").find("missing.jpg"), std::string::npos);
}

// All eight camera orientations show the same scene.
TEST(ReadImage, TurnsUprightByExif) {
  TempFolder folder;
  const std::string plain = encode(drawing({80, 48}), ".jpg", {cv::IMWRITE_JPEG_QUALITY, 100});
  for (int orientation = 1; orientation <= 8; ++orientation) {
    std::string exif("Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 24);
    exif += std::string{static_cast<char>(orientation), 0, 0, 0, 0, 0, 0, 0};
    const auto length = static_cast<char>(exif.size() + 2);
    const std::string marker = std::string{'\xff', '\xe1', 0, length} + exif;
    const auto file = write(folder.path() / ("o" + std::to_string(orientation) + ".jpg"),
                            plain.substr(0, 2) + marker + plain.substr(2));
    const cv::Mat ours = read_image(file), theirs = cv::imread(file.string());
    ASSERT_EQ(ours.size(), theirs.size()) << orientation;
    EXPECT_EQ(cv::norm(ours, theirs, cv::NORM_INF), 0) << orientation;
  }
}

}  // namespace
}  // namespace plateforge
