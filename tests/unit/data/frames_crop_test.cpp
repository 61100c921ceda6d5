// The views that a detector learns from and is judged on.
#include <cmath>

#include "configs/error.h"
#include "data/frames/preview.h"
#include "data/frames/training_view.h"
#include "data/geometry.h"
#include "tests/unit/data/frames.h"

namespace plateforge {
namespace {

constexpr int kSide = 256;
const cv::Size kInput{kSide, kSide};

// A grey street of 720 x 1160 with a plate whose corners are the centres of coloured discs.
const Quad kPlate = {cv::Point2f{250, 560}, {470, 580}, {466, 650}, {246, 630}};
const std::array<cv::Scalar, 4> kDiscs = {
    cv::Scalar(255, 0, 0), {0, 255, 0}, {0, 0, 255}, {0, 255, 255}};

cv::Mat street() {
  cv::Mat image(1160, 720, CV_8UC3, cv::Scalar(90, 90, 90));
  for (size_t i = 0; i < 4; ++i) {
    cv::circle(image, kPlate[i] - cv::Point2f(0.5F, 0.5F), 14, kDiscs[i], cv::FILLED, cv::LINE_AA);
  }
  return image;
}

FramesConfig still() {
  FramesConfig config;
  config.rotate = config.perspective = 0;
  return config;
}

// The middle of what has a disc's colour in a view; nullopt when too little of it is there.
std::optional<cv::Point2f> disc_in(const cv::Mat& view, size_t corner) {
  cv::Mat mask;
  const auto& colour = kDiscs[corner];
  const auto bound = [&](double add) {
    return cv::Scalar(colour[0] + add, colour[1] + add, colour[2] + add);
  };
  cv::inRange(view, bound(-70), bound(70), mask);
  const auto moments = cv::moments(mask, true);
  if (moments.m00 < 12) return std::nullopt;
  return cv::Point2f(static_cast<float>(moments.m10 / moments.m00 + 0.5),
                     static_cast<float>(moments.m01 / moments.m00 + 0.5));
}

// The largest distance between a corner well inside the view and its disc; `names` says which disc
// belongs to a corner.
double worst_error(const cv::Mat& view, const Quad& quad, const std::array<size_t, 4>& names,
                   int& checked) {
  const cv::Rect2f safe(8, 8, kSide - 16, kSide - 16);
  double worst = 0;
  checked = 0;
  for (size_t i = 0; i < 4; ++i) {
    if (!safe.contains(quad[i])) continue;
    const auto found = disc_in(view, names[i]);
    worst = std::max(worst, found ? cv::norm(*found - quad[i]) : 1000.0);
    ++checked;
  }
  return worst;
}

TEST(SquareCrop, CornersLieWhereThePixelsShowThem) {
  const DrawnFrames source(street(), {plate_with(kPlate)});
  FramesConfig config;
  config.rotate = 25;
  config.perspective = 0.1;
  config.crop_scales = {0.7, 1.0, 1.4};
  for (const bool flip : {false, true}) {
    config.flip = flip;
    const TrainingView training(config, {}, cn());
    int64_t all = 0;
    cv::Mat view(kInput, CV_8UC3);
    for (int64_t epoch = 0; epoch < 60; ++epoch) {
      const auto plates = training({&source, 5, {epoch, 0}}, view);
      ASSERT_EQ(plates.size(), 1u);
      if (plates[0].ignore) continue;
      const Quad& quad = *plates[0].corners;
      EXPECT_GT((quad[1] - quad[0]).cross(quad[3] - quad[0]), 0) << "clockwise";
      int checked = 0;
      double worst = worst_error(view, quad, {0, 1, 2, 3}, checked);
      // A mirrored view names its corners anew: its left-top is the picture's right-top.
      if (flip) worst = std::min(worst, worst_error(view, quad, {1, 0, 3, 2}, checked));
      EXPECT_LT(worst, 1.0) << "epoch " << epoch;
      all += checked;
    }
    EXPECT_GT(all, 100);
  }
}

TEST(SquareCrop, FlipsHalfOfTheViewsWhenAsked) {
  const DrawnFrames source(street(), {plate_with(kPlate)});
  auto config = still();
  config.crop_scales = {1.0};
  cv::Mat view(kInput, CV_8UC3);
  for (const bool flip : {false, true}) {
    config.flip = flip;
    const TrainingView training(config, {}, cn());
    int mirrored = 0;
    for (int64_t epoch = 0; epoch < 40; ++epoch) {
      training({&source, 5, {epoch, 0}}, view);
      mirrored += disc_in(view, 0)->x > disc_in(view, 1)->x;
    }
    EXPECT_EQ(mirrored > 8 && mirrored < 32, flip) << mirrored;
    EXPECT_EQ(mirrored == 0, !flip);
  }
}

TEST(SquareCrop, SidesAndPlacesAsConfigured) {
  const SquareCrop crop(still());
  const cv::Size picture(720, 1160);
  std::map<int, int> sides;
  bool beyond = false;
  for (uint64_t i = 0; i < 400; ++i) {
    Rng rng(i);
    const auto view = crop.draw(picture, {}, kInput, rng);
    const auto first = mapped(view, {0, 0}), last = mapped(view, {kSide, kSide});
    const float side = last.x - first.x;
    EXPECT_NEAR(side, last.y - first.y, 0.01);
    ++sides[static_cast<int>(std::lround(side / 7.2F))];
    // Inside where it fits, around the picture where it does not.
    EXPECT_GE(first.x, std::min(0.0F, 720 - side) - 0.01F);
    EXPECT_LE(first.x, std::max(0.0F, 720 - side) + 0.01F);
    EXPECT_GE(first.y, std::min(0.0F, 1160 - side) - 0.01F);
    EXPECT_LE(first.y, std::max(0.0F, 1160 - side) + 0.01F);
    beyond = beyond || first.x < 0;
  }
  EXPECT_TRUE(beyond);
  const std::vector<int> expected = {30, 45, 60, 80, 100, 120, 140, 160, 180, 200};
  ASSERT_EQ(sides.size(), expected.size());
  for (const int side : expected) EXPECT_GT(sides[side], 15) << side;
}

TEST(SquareCrop, AlwaysShowsTheMiddleOfAPlate) {
  const std::vector<FramePlate> plates = {
      plate_with({cv::Point2f{690, 1140}, {718, 1140}, {718, 1150}, {690, 1150}}),
      {.box = {100, 100, 90, 30}, .corners = std::nullopt, .text = "", .ignore = true}};
  const SquareCrop crop({});
  for (uint64_t i = 0; i < 200; ++i) {
    Rng rng(i);
    const auto view = crop.draw({720, 1160}, plates, kInput, rng);
    const auto middle = mapped(view.inv(), {704, 1145});
    EXPECT_TRUE(cv::Rect2f(0, 0, kSide, kSide).contains(middle)) << i;
    const auto seen = plates_in_view(plates, view, kInput, {720, 1160}, {});
    ASSERT_FALSE(seen.empty());
    EXPECT_GE(side_lengths(*seen[0].corners).width, 0.85 * still().min_plate) << i;
  }
}

TEST(SquareCrop, PlateSizesStayInTheirRange) {
  auto config = still();
  config.min_plate = 30;
  config.max_plate = 0.5;
  const SquareCrop crop(config);
  // Widths for which no, some and every side of the list fits.
  for (const float width : {4.0F, 60.0F, 150.0F, 2000.0F}) {
    const auto plate = plate_with(quad_of({300, 500, width, width / 4}));
    std::map<int, int> sides;
    for (uint64_t i = 0; i < 100; ++i) {
      Rng rng(i);
      const auto view = crop.draw({3000, 2000}, {plate}, kInput, rng);
      const double scale = kSide / (mapped(view, {kSide, 0}) - mapped(view, {0, 0})).x;
      EXPECT_GE(width * scale, 29.9) << width;
      EXPECT_LE(width * scale, 128.1) << width;
    }
  }
}

TEST(SquareCrop, ABoxAloneIsNotTurned) {
  FramesConfig config;
  config.rotate = 40;
  const SquareCrop crop(config);
  const FramePlate box{.box = {300, 500, 200, 60}, .corners = std::nullopt, .text = ""};
  Rng rng(3);
  const auto view = crop.draw({720, 1160}, {box}, kInput, rng);
  EXPECT_EQ(view(0, 1), 0);
  EXPECT_EQ(view(2, 0), 0);
  const auto seen = plates_in_view({box}, view, kInput, {720, 1160}, {});
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_FALSE(seen[0].corners);
}

TEST(SquareCrop, AnInputThatIsNoSquare) {
  const cv::Size input(320, 160);
  auto config = still();
  config.crop_scales = {0.5};
  Rng rng(1);
  const auto view = SquareCrop(config).draw({1000, 800}, {}, input, rng);
  const auto extent = mapped(view, {320, 160}) - mapped(view, {0, 0});
  EXPECT_NEAR(extent.x, 800, 0.01);
  EXPECT_NEAR(extent.y, 400, 0.01);
}

TEST(SquareCrop, NoScales) {
  FramesConfig config;
  config.crop_scales.clear();
  EXPECT_NE(problem_of([&] { SquareCrop{config}; }).find("crop_scales is empty"),
            std::string::npos);
}

TEST(PlatesInView, WhatIsClippedIgnoredAndLeftOut) {
  const ToPicture view = ToPicture::eye();
  const cv::Size input(100, 100), picture(300, 100);
  const auto at = [](float x, float y, float width = 40) {
    return plate_with(quad_of({x, y, width, 10}));
  };
  const VisiblePlates options{.min_visible = 0.7, .min_width = 12};
  const auto seen = plates_in_view(
      {at(10, 20), at(70, 40), at(75, 60), at(90, 80), at(150, 50), at(10, 50, 11), at(10, 95)},
      view, input, picture, options);
  ASSERT_EQ(seen.size(), 6u);
  EXPECT_FALSE(seen[0].ignore);
  EXPECT_EQ(seen[0].box, cv::Rect2f(10, 20, 40, 10));
  EXPECT_FALSE(seen[1].ignore) << "three quarters are visible";
  EXPECT_EQ(seen[1].box, cv::Rect2f(70, 40, 30, 10)) << "the box is clipped";
  EXPECT_EQ(*seen[1].corners, quad_of({70, 40, 40, 10})) << "the corners are not";
  EXPECT_TRUE(seen[2].ignore) << "five eighths are visible";
  EXPECT_TRUE(seen[3].ignore) << "its middle is outside";
  EXPECT_TRUE(seen[4].ignore) << "too narrow";
  EXPECT_TRUE(seen[5].ignore) << "the picture ends there";
}

TEST(SampleFrame, GreyBeyondThePicture) {
  const DrawnFrames source(cv::Mat(100, 100, CV_8UC3, cv::Scalar(10, 20, 30)), {});
  cv::Mat out;
  sample_frame(source.read({0, 0}, nullptr), {2, 0, -50, 0, 2, -50, 0, 0, 1}, {100, 100}, out);
  EXPECT_EQ(out.at<cv::Vec3b>(10, 50), cv::Vec3b(128, 128, 128));
  EXPECT_EQ(out.at<cv::Vec3b>(50, 50), cv::Vec3b(10, 20, 30));
  EXPECT_EQ(out.at<cv::Vec3b>(50, 90), cv::Vec3b(128, 128, 128));
}

// Reducing looks like averaging, however much of it the decoder has done.
TEST(SampleFrame, ReducesLikeAreaFiltering) {
  const auto source = open_all(kCcpdFrames).parts[0].source;
  const cv::Mat whole = source->read({0, 3}).image;
  for (const int height : {1000, 700, 512, 320, 200, 100}) {
    const cv::Size size(static_cast<int>(std::lround(720.0 * height / 1160)), height);
    cv::Mat area, linear, out(size, CV_8UC3);
    cv::resize(whole, area, size, 0, 0, cv::INTER_AREA);
    cv::resize(whole, linear, size, 0, 0, cv::INTER_LINEAR);
    const ToPicture view(720.0 / size.width, 0, 0, 0, 1160.0 / height, 0, 0, 0, 1);
    const Frame frame =
        source->read({0, 3}, [&](const cv::Size&, const auto&) { return view_for(view, size); });
    EXPECT_EQ(frame.reduction, height >= 700 ? 1 : height >= 320 ? 2 : height >= 200 ? 4 : 8);
    sample_frame(frame, view, size, out);
    const auto difference = [&](const cv::Mat& other) {
      return cv::norm(other, area, cv::NORM_L1) / static_cast<double>(area.total() * 3);
    };
    EXPECT_LT(difference(out), 2.2) << height;
    if (height <= 512) {
      EXPECT_LT(difference(out), difference(linear)) << height;
    }
  }
}

// A part decoded for a view gives the pixels that the whole picture gives.
TEST(SampleFrame, ADecodedPartIsEnough) {
  const auto source = open_all(kCcpdFrames).parts[0].source;
  const SquareCrop crop({});
  for (int64_t i = 0; i < 14; ++i) {
    Rng rng(static_cast<uint64_t>(i));
    ToPicture view;
    FrameView wanted;
    const Frame part = source->read({0, i}, [&](const cv::Size& size, const auto& plates) {
      view = crop.draw(size, plates, kInput, rng);
      return wanted = view_for(view, kInput);
    });
    const Frame whole = source->read({0, i}, [&](const cv::Size& size, const auto&) {
      return FrameView{{{0, 0}, size}, wanted.reduction};
    });
    cv::Mat a, b;
    sample_frame(part, view, kInput, a);
    sample_frame(whole, view, kInput, b);
    EXPECT_LE(cv::norm(a, b, cv::NORM_L1) / static_cast<double>(a.total() * 3), 0.1) << i;
  }
}

TEST(Letterbox, ThereAndBack) {
  const auto source = open_all(kCcpdFrames).parts[0].source;
  cv::Mat input(320, 512, CV_8UC3);
  std::vector<FramePlate> plates;
  const auto box = letterbox_view(*source, {0, 2}, input, plates);
  EXPECT_DOUBLE_EQ(box.scale, 320.0 / 1160);
  const auto annotated = source->plates(2)[0];
  ASSERT_EQ(plates.size(), 1u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(box.to_picture((*plates[0].corners)[i].x), (*annotated.corners)[i].x, 1e-3);
    EXPECT_NEAR(box.to_input((*annotated.corners)[i].y), (*plates[0].corners)[i].y, 1e-3);
  }
  EXPECT_EQ(input.at<cv::Vec3b>(160, 300), cv::Vec3b(128, 128, 128));
  EXPECT_NE(input.at<cv::Vec3b>(160, 100), cv::Vec3b(128, 128, 128));
  // Small pictures are enlarged.
  EXPECT_DOUBLE_EQ(Letterbox(100, 50, 320, 320).scale, 3.2);
}

TEST(TrainingView, MosaicHoldsFourFrames) {
  const DrawnFrames source(street(), {plate_with(kPlate)}, 4);
  const TrainingView training(still(), {}, cn());
  std::array<FramePick, 4> picks;
  for (int64_t i = 0; i < 4; ++i) picks[static_cast<size_t>(i)] = {&source, 9, {0, i}};
  cv::Mat view(kInput, CV_8UC3);
  const auto plates = training.mosaic(picks, view);
  ASSERT_EQ(plates.size(), 4u);
  int left = 0, top = 0;
  for (const auto& plate : plates) {
    left += plate.box.x < kSide / 2.0F;
    top += plate.box.y < kSide / 2.0F;
    EXPECT_EQ(plate.box & cv::Rect2f(0, 0, kSide, kSide), plate.box);
  }
  EXPECT_GE(left, 2);
  EXPECT_GE(top, 2);
}

TEST(TrainingView, OpsThatMovePixelsAreRefused) {
  AugmentConfig augment;
  augment.ops = {{.op = "night"}, {.op = "affine"}};
  EXPECT_NE(problem_of([&] { TrainingView({}, augment, cn()); }).find("frames.rotate"),
            std::string::npos);
}

TEST(PreviewFrames, ShowsFramesAndViews) {
  const auto mix = open_all(kCcpdFrames);
  const cv::Mat sheet =
      preview_frames(mix, cn(), {}, {}, {.rows = 6, .variants = 3, .size = {128, 128}});
  EXPECT_EQ(sheet.size(), cv::Size(4 * 134 + 6, 6 * 134 + 6));
  cv::Mat corners;
  cv::inRange(sheet, cv::Scalar(50, 210, 50), cv::Scalar(70, 230, 70), corners);
  EXPECT_GT(cv::countNonZero(corners), 50) << "no corners were drawn";
}

}  // namespace
}  // namespace plateforge
