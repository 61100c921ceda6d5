#include "data/preview.h"

#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>

namespace plateforge {
namespace {

TEST(Preview, ShowsPlatesAndViews) {
  const auto region = Region::load("cn");
  AugmentConfig augment;
  augment.ops = {{.op = "brightness", .probability = 1}};
  PreviewOptions options;
  options.rows = 3;
  options.variants = 2;
  const auto mix = open_mix("crops:" PLATEFORGE_ROOT "/tests/data/crops", region, {}, 1);
  const cv::Mat sheet = preview_sheet(mix, region, augment, options);
  EXPECT_GT(sheet.cols, 3 * 188);
  EXPECT_EQ(sheet.rows, 3 * 54 + 6);
  cv::Mat grey;
  cv::cvtColor(sheet(cv::Rect(0, 0, 6 + 48 * 7, sheet.rows)), grey, cv::COLOR_BGR2GRAY);
  double darkest = 0;
  cv::minMaxLoc(grey, &darkest);
  EXPECT_LT(darkest, 60) << "no labels were drawn";
}

}  // namespace
}  // namespace plateforge
