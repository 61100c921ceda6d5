#include "data/plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <opencv2/imgcodecs.hpp>
#include <stdexcept>

#include "configs/error.h"

namespace plateforge {
namespace {

TEST(LinePlot, DrawsTheLineBetweenItsAxes) {
  const auto file = std::filesystem::path(testing::TempDir()) / "plot_test.png";
  LinePlot plot{.title = "t", .x_label = "rate", .y_label = "loss", .log_x = true};
  for (int i = 0; i < 50; ++i) {
    plot.x.push_back(1e-6 * std::pow(10, i / 10.0));
    plot.y.push_back(3 - i / 25.0);
  }
  plot.marks = {{"valley 1e-3", 1e-3}, {"outside", 1e9}};
  write_line_plot(file, plot);
  const cv::Mat image = cv::imread(file.string());
  ASSERT_EQ(image.size(), cv::Size(900, 560));
  // Starts at the top left, ends at the bottom right.
  const auto blue = [&](int x, int y) {
    const auto pixel = image.at<cv::Vec3b>(y, x);
    return pixel[0] > pixel[2] + 50;
  };
  EXPECT_TRUE(blue(84, 64));
  EXPECT_TRUE(blue(867, 477));
  EXPECT_FALSE(blue(867, 64));
  std::filesystem::remove(file);
}

TEST(LinePlot, SurvivesAFlatLine) {
  const auto file = std::filesystem::path(testing::TempDir()) / "flat_plot.png";
  write_line_plot(file, {.x = {1, 2}, .y = {5, 5}});
  EXPECT_FALSE(cv::imread(file.string()).empty());
  std::filesystem::remove(file);
}

TEST(LinePlot, RefusesWhatItCannotDrawOrWrite) {
  EXPECT_THROW(write_line_plot("/tmp/x.png", {.x = {1}, .y = {1}}), std::logic_error);
  EXPECT_THROW(write_line_plot("/tmp/x.png", {.log_x = true, .x = {0, 1}, .y = {1, 1}}),
               std::logic_error);
  EXPECT_THROW(write_line_plot("/nonexistent/x.png", {.x = {1, 2}, .y = {1, 1}}), Error);
}

TEST(SeriesPlot, DrawsEachSeriesInItsColourWithBars) {
  const auto file = std::filesystem::path(testing::TempDir()) / "series_test.png";
  write_series_plot(file, {.title = "t",
                           .x_label = "kB",
                           .y_label = "share",
                           .series = {{.name = "one", .x = {1, 2}, .y = {0.5, 0.7}},
                                      {.name = "other",
                                       .x = {1, 3},
                                       .y = {0.2, 0.9},
                                       .low = {0.1, 0.8},
                                       .high = {0.3, 1.0}}}});
  const cv::Mat image = cv::imread(file.string());
  ASSERT_EQ(image.size(), cv::Size(900, 560));
  int blue = 0, orange = 0;
  for (int y = 60; y < 480; ++y)
    for (int x = 90; x < 700; ++x) {  // left of the legend
      const auto pixel = image.at<cv::Vec3b>(y, x);
      blue += pixel[0] > pixel[2] + 100;
      orange += pixel[2] > pixel[0] + 100;
    }
  EXPECT_GT(blue, 100);
  EXPECT_GT(orange, 100);
  EXPECT_THROW(write_series_plot(file, {}), std::logic_error);
  EXPECT_THROW(write_series_plot(file, {.series = {{.name = "x", .x = {1}, .y = {}}}}),
               std::logic_error);
}

}  // namespace
}  // namespace plateforge
