// Decoding parts of photographs: regions, reductions, orientation and unusual files.
#include <cstdio>

// jpeglib.h needs FILE and size_t declared before it.
#include <jpeglib.h>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "data/frames/training_view.h"
#include "data/image.h"
#include "tests/unit/data/frames.h"

namespace plateforge {
namespace {

double mean_difference(const cv::Mat& a, const cv::Mat& b) {
  return cv::norm(a, b, cv::NORM_L1) / static_cast<double>(a.total() * 3);
}

ImageView view_of(const fs::path& file, const FrameView& wanted, bool upright = true) {
  return read_image_view(file, upright, [&](const cv::Size&) { return wanted; });
}

TEST(ImageView, ReducedRegionsEqualTheCutFromTheReducedPicture) {
  const std::vector<cv::Rect> regions = {{0, 0, 720, 1160},
                                         {231, 489, 387, 63},
                                         {17, 33, 1, 1},
                                         {700, 1140, 20, 20},
                                         {5, 1001, 700, 7}};
  for (const auto& entry : fs::directory_iterator(PLATEFORGE_ROOT "/tests/data/ccpd")) {
    for (const int r : {1, 2, 4, 8}) {
      const FrameView all{{0, 0, 720, 1160}, double(r)};
      const auto whole = view_of(entry.path(), all);
      ASSERT_EQ(whole.reduction, r);
      ASSERT_EQ(whole.image.size(), cv::Size(720 / r, 1160 / r));
      for (const auto& region : regions) {
        const auto part = view_of(entry.path(), {region, r + 0.5});
        EXPECT_EQ(part.reduction, r);
        EXPECT_EQ(part.region & region, region) << "reduction " << r;
        EXPECT_EQ(part.region.size(), part.image.size() * r);
        const cv::Rect reduced(part.region.tl() / r, part.image.size());
        EXPECT_EQ(cv::norm(part.image, whole.image(reduced), cv::NORM_INF), 0)
            << region << " reduction " << r;
      }
    }
  }
}

TEST(ImageView, ReductionIsCloseToAreaFiltering) {
  const auto entry = *fs::directory_iterator(PLATEFORGE_ROOT "/tests/data/ccpd");
  const cv::Mat whole = read_image(entry.path());
  for (const int r : {2, 4, 8}) {
    cv::Mat area;
    cv::resize(whole, area, whole.size() / r, 0, 0, cv::INTER_AREA);
    const auto view = view_of(entry.path(), {{{0, 0}, whole.size()}, double(r)});
    EXPECT_LT(mean_difference(view.image, area), 1.5) << r;
  }
}

TEST(ImageView, RegionsBeyondThePictureAreCut) {
  TempFolder folder;
  for (const char* name : {"a.jpg", "a.png"}) {
    write_picture(folder.path() / name, gradient({50, 30}));
    const auto view = view_of(folder.path() / name, {{-10, 20, 40, 40}, 1});
    EXPECT_EQ(view.region, cv::Rect(0, 20, 30, 10)) << name;
    EXPECT_EQ(view.image.size(), cv::Size(30, 10)) << name;
    EXPECT_FALSE(view_of(folder.path() / name, {{500, 500, 40, 40}, 1}).image.empty()) << name;
  }
}

TEST(ImageView, EveryOrientationAndRegionLikeTheUprightPicture) {
  TempFolder folder;
  write_picture(folder.path() / "0.jpg", gradient({90, 61}), {cv::IMWRITE_JPEG_QUALITY, 98});
  const std::string bytes = read_file(folder.path() / "0.jpg");
  for (char orientation = 1; orientation <= 8; ++orientation) {
    const auto file = folder.path() / (std::to_string(orientation) + ".jpg");
    write_text(file, with_orientation(bytes, orientation));
    const cv::Mat whole = read_image(file);
    ASSERT_EQ(cv::norm(whole, cv::imread(file.string()), cv::NORM_INF), 0) << "the test's own EXIF";
    EXPECT_EQ(read_image_size(file, true), whole.size());
    EXPECT_EQ(read_image_size(file, false), cv::Size(90, 61));
    const cv::Rect region(13, 22, 31, 17);
    const auto part = view_of(file, {region, 1});
    ASSERT_EQ(part.region, region) << int(orientation);
    EXPECT_EQ(cv::norm(part.image, whole(region), cv::NORM_INF), 0) << int(orientation);
    // Reduced: where a pixel lies is told by what it shows.
    const auto half = view_of(file, {region, 2});
    ASSERT_EQ(half.region.size(), half.image.size() * 2);
    const cv::Point at(7, 5), there = half.region.tl() + 2 * at;
    const auto mean = cv::mean(whole({there, cv::Size(2, 2)}));
    const auto shown = half.image.at<cv::Vec3b>(at);
    for (int k = 0; k < 3; ++k) EXPECT_NEAR(shown[k], mean[k], 4) << int(orientation);
  }
}

// The annotation of a YOLO frame counts the upright picture, that of CCPD the stored one.
TEST(FramePictures, ExifOrientationOfAnnotations) {
  TempFolder folder;
  write_picture(folder.path() / "0.png", gradient({200, 100}));
  std::vector<uchar> bytes;
  cv::imencode(".jpg", gradient({200, 100}), bytes);
  const std::string turned = with_orientation({bytes.begin(), bytes.end()}, 6);
  write_text(folder.path() / "yolo/a.jpg", turned);
  write_text(folder.path() / "yolo/a.txt", "0 0.5 0.25 0.5 0.1");
  const auto yolo = open_all("yolo:" + (folder.path() / "yolo").string()).parts[0].source;
  const Frame upright = yolo->read({0, 0});
  EXPECT_EQ(upright.image.size(), cv::Size(100, 200));
  EXPECT_NEAR(upright.plates[0].box.x, 25, 1e-3);
  EXPECT_NEAR(upright.plates[0].box.y, 40, 1e-3);
  EXPECT_NEAR(upright.plates[0].box.height, 20, 1e-3);
  EXPECT_EQ(yolo->plates(0)[0].box, upright.plates[0].box);

  write_text(folder.path() / "ccpd" /
                 "01-90_90-20&30_120&80-118&80_18&60_20&30_120&50-0_0_22_27_27_33_16-37-15.jpg",
             turned);
  const auto ccpd = open_all("ccpd:" + (folder.path() / "ccpd").string()).parts[0].source;
  const Frame stored = ccpd->read({0, 0});
  EXPECT_EQ(stored.image.size(), cv::Size(200, 100));
  EXPECT_EQ(stored.plates[0].box, cv::Rect2f(18, 30, 102, 50));
}

TEST(FramePictures, APlateOutsideACcpdPicture) {
  TempFolder folder;
  write_picture(folder.path() /
                "01-90_90-20&30_120&80-418&80_318&60_320&30_420&50-0_0_22_27_27_33_16-37-15.jpg");
  const auto source = open_all("ccpd:" + folder.path().string()).parts[0].source;
  const auto problem = problem_of([&] { source->read({0, 0}); });
  EXPECT_NE(problem.find("lies outside the picture of 200 x 100"), std::string::npos) << problem;
}

// Pictures of other depths and channels become 8-bit BGR.
TEST(FramePictures, SixteenBitAndGrey) {
  TempFolder folder;
  const cv::Mat colours = gradient({200, 100});
  cv::Mat grey, deep;
  cv::cvtColor(colours, grey, cv::COLOR_BGR2GRAY);
  colours.convertTo(deep, CV_16UC3, 257);
  const std::vector<std::pair<std::string, cv::Mat>> pictures = {
      {"grey.jpg", grey}, {"grey.png", grey}, {"deep.png", deep}, {"deep.tif", deep}};
  cv::Mat grey_as_colour;
  cv::cvtColor(grey, grey_as_colour, cv::COLOR_GRAY2BGR);
  for (const auto& [name, picture] : pictures) {
    write_picture(folder.path() / name, picture);
    write_text(fs::path(folder.path() / name).replace_extension(".txt"), "0 0.5 0.5 0.2 0.2");
    const auto view = read_image_view(folder.path() / name, true, nullptr);
    ASSERT_EQ(view.image.type(), CV_8UC3) << name;
    const auto& expected = picture.depth() == CV_16U ? colours : grey_as_colour;
    EXPECT_LT(mean_difference(view.image, expected), 2) << name;
  }
  const auto mix = open_all("yolo:" + folder.path().string());
  EXPECT_EQ(mix.size(), 4);
}

// 64 x 32 pixels of CMYK as printers' programs write it (255 = no ink): cyan, then magenta.
void write_cmyk(const fs::path& file) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  std::FILE* out = std::fopen(file.c_str(), "wb");
  ASSERT_NE(out, nullptr);
  jpeg_stdio_dest(&info, out);
  info.image_width = 64;
  info.image_height = 32;
  info.input_components = 4;
  info.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_start_compress(&info, TRUE);
  std::vector<JSAMPLE> line(64 * 4, 255);
  for (size_t x = 0; x < 64; ++x) line[4 * x + (x < 32 ? 0 : 1)] = 0;
  JSAMPROW row = line.data();
  while (info.next_scanline < info.image_height) jpeg_write_scanlines(&info, &row, 1);
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::fclose(out);
}

TEST(FramePictures, CmykJpeg) {
  TempFolder folder;
  write_cmyk(folder.path() / "a.jpg");
  write_text(folder.path() / "a.txt", "0 0.5 0.5 0.2 0.2");
  const auto source = open_all("yolo:" + folder.path().string()).parts[0].source;
  EXPECT_EQ(source->plates(0).size(), 1u);
  const Frame frame = source->read({0, 0});
  ASSERT_EQ(frame.image.type(), CV_8UC3);
  ASSERT_EQ(frame.image.size(), cv::Size(64, 32));
  const auto cyan = frame.image.at<cv::Vec3b>(16, 12), magenta = frame.image.at<cv::Vec3b>(16, 52);
  EXPECT_GT(cyan[1], cyan[2] + 200);
  EXPECT_GT(magenta[2], magenta[1] + 200);
}

TEST(FramePictures, TwentyThousandPixels) {
  TempFolder folder;
  cv::Mat wide(1200, 20000, CV_8UC3);
  for (int x = 0; x < wide.cols; ++x) wide.col(x).setTo(cv::Scalar(10, x / 100, 200 - x / 100));
  for (const char* name : {"a.jpg", "b.png"}) {
    write_picture(folder.path() / name, wide);
    write_text(fs::path(folder.path() / name).replace_extension(".txt"),
               "0 0.75 0.5 0.01 0.05 0.745 0.475 0.755 0.475 0.755 0.525 0.745 0.525");
  }
  const auto source = open_all("yolo:" + folder.path().string()).parts[0].source;
  for (int64_t i = 0; i < 2; ++i) {
    cv::Mat input(320, 320, CV_8UC3);
    std::vector<FramePlate> plates;
    const auto box = letterbox_view(*source, {0, i}, input, plates);
    EXPECT_EQ(box.width, 20000);
    EXPECT_NEAR(plates.at(0).box.x, 0.745 * 320, 0.01);
    EXPECT_NEAR(input.at<cv::Vec3b>(8, 240)[1], 150, 2);
    EXPECT_EQ(input.at<cv::Vec3b>(300, 240), cv::Vec3b(128, 128, 128));

    const TrainingView training({}, {}, cn());
    for (int64_t epoch = 0; epoch < 4; ++epoch) {
      const auto seen = training({source.get(), 1, {epoch, i}}, input);
      ASSERT_EQ(seen.size(), 1u);
      EXPECT_GE(seen[0].box.width, 16);
      const cv::Point2f middle = (seen[0].box.tl() + seen[0].box.br()) / 2;
      if (seen[0].ignore) continue;
      EXPECT_NEAR(input.at<cv::Vec3b>(middle)[1], 150, 6);
    }
  }
}

TEST(FramePictures, DamagedOnesAreNamed) {
  TempFolder folder;
  const auto entry = *fs::directory_iterator(PLATEFORGE_ROOT "/tests/data/ccpd");
  const std::string bytes = read_file(entry.path());
  write_text(folder.path() / entry.path().filename(), bytes.substr(0, bytes.size() / 2));
  const auto source = open_all("ccpd:" + folder.path().string()).parts[0].source;
  const auto top = [](const cv::Size&, const std::vector<FramePlate>&) {
    return FrameView{{0, 0, 100, 100}, 2};
  };
  for (const auto& choose : {ChooseView(nullptr), ChooseView(top)}) {
    const auto problem = problem_of([&] { source->read({0, 0}, choose); });
    EXPECT_NE(problem.find("is a damaged JPEG"), std::string::npos) << problem;
  }
}

}  // namespace
}  // namespace plateforge
