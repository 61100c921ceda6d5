#include "data/augment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <opencv2/imgproc.hpp>
#include <thread>

#include "configs/error.h"
#include "data/rectify.h"
#include "tests/unit/readme.h"

namespace plateforge {
namespace {

constexpr int kWidth = 94, kHeight = 24;
const cv::Size kSize{kWidth, kHeight};

// A blue plate with white bars of different widths inside a grey surround.
Plate bar_plate(const cv::Size& size = {160, 48}) {
  Plate plate;
  plate.image = cv::Mat(size, CV_8UC3, cv::Scalar(110, 110, 110));
  const cv::Rect inside(size.width / 20, size.height / 12, size.width * 9 / 10,
                        size.height * 10 / 12);
  plate.image(inside).setTo(cv::Scalar(180, 80, 20));
  for (int i = 0; i < 7; ++i) {
    const cv::Rect bar(inside.x + (2 * i + 1) * inside.width / 15, inside.y + inside.height / 6,
                       2 + i * size.width / 160, inside.height * 2 / 3);
    plate.image(bar).setTo(cv::Scalar(235, 240, 230));
  }
  plate.quad = whole_image(size);
  plate.text = "bars";
  return plate;
}

// A region of one-row plates.
const Region& one_row() {
  static const Region region = Region::load("cn");
  return region;
}

AugmentConfig single(const std::string& op, double probability = 1, double strength = 1) {
  AugmentConfig config;
  config.ops = {{.op = op, .probability = probability, .strength = strength}};
  return config;
}

double mean_difference(const cv::Mat& a, const cv::Mat& b) {
  return cv::norm(a, b, cv::NORM_L1) / static_cast<double>(a.total() * 3);
}

bool equal(const cv::Mat& a, const cv::Mat& b) {
  return a.size() == b.size() && cv::norm(a, b, cv::NORM_INF) == 0;
}

TEST(Rectify, CopiesAPictureOfTheSameSize) {
  const Plate plate = bar_plate(kSize);
  cv::Mat out;
  rectify(plate.image, plate.quad, kSize, out);
  EXPECT_TRUE(equal(plate.image, out));
}

TEST(Rectify, ReducesLikeAreaFiltering) {
  for (const cv::Size& size : {cv::Size(120, 30), {160, 48}, {220, 72}, {300, 100}, {700, 180}}) {
    Plate plate = bar_plate(size);
    cv::Mat texture(size, CV_8UC3);
    cv::RNG(7).fill(texture, cv::RNG::UNIFORM, 0, 255);
    cv::addWeighted(plate.image, 0.7, texture, 0.3, 0, plate.image);
    cv::Mat out, area, linear;
    rectify(plate.image, plate.quad, kSize, out);
    cv::resize(plate.image, area, kSize, 0, 0, cv::INTER_AREA);
    cv::resize(plate.image, linear, kSize, 0, 0, cv::INTER_LINEAR);
    EXPECT_LT(mean_difference(out, area), 5.5) << size;
    if (size.width >= 160) {
      EXPECT_LT(mean_difference(out, area), mean_difference(linear, area)) << size;
    }
  }
}

TEST(Rectify, EnlargesLikeLinearInterpolation) {
  const Plate plate = bar_plate({60, 18});
  cv::Mat out, linear;
  rectify(plate.image, plate.quad, kSize, out);
  cv::resize(plate.image, linear, kSize, 0, 0, cv::INTER_LINEAR);
  EXPECT_LT(mean_difference(out, linear), 1.0);
}

TEST(Rectify, FollowsThePerspectiveOfTheQuad) {
  const Plate plate = bar_plate(kSize);
  const Quad placed = {cv::Point2f{40, 30}, {260, 60}, {250, 130}, {30, 90}};
  const Quad whole = whole_image(kSize);
  const cv::Mat map = cv::getPerspectiveTransform(whole.data(), placed.data());
  cv::Mat scene, out;
  cv::warpPerspective(plate.image, scene, map, {300, 160}, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  rectify(scene, placed, kSize, out);
  const cv::Rect inner(4, 4, kWidth - 8, kHeight - 8);
  EXPECT_LT(mean_difference(out(inner), plate.image(inner)), 14.0);
}

TEST(Rectify, SurvivesTinyPicturesAndQuadsOutside) {
  cv::Mat out;
  for (const cv::Size& size : {cv::Size(1, 1), {1, 40}, {40, 1}, {2, 2}}) {
    const cv::Mat image(size, CV_8UC3, cv::Scalar(10, 20, 30));
    rectify(image, whole_image(size), kSize, out);
    EXPECT_EQ(out.at<cv::Vec3b>(12, 40), cv::Vec3b(10, 20, 30)) << size;
  }
  const cv::Mat image(48, 160, CV_8UC3, cv::Scalar(10, 20, 30));
  rectify(image, {cv::Point2f{-900, -900}, {-10, -900}, {-10, -20}, {-900, -20}}, kSize, out);
  rectify(image, {cv::Point2f{5, 5}, {5, 5}, {5, 5}, {5, 5}}, kSize, out);
  EXPECT_EQ(out.size(), kSize);
}

TEST(Homography, TakesTheUnitSquareToTheCorners) {
  const Quad quad = {cv::Point2f{10, 20}, {210, 5}, {190, 90}, {15, 70}};
  const Homography map(quad);
  const double u[] = {0, 1, 1, 0}, v[] = {0, 0, 1, 1};
  for (size_t i = 0; i < 4; ++i) EXPECT_LT(cv::norm(map(u[i], v[i]) - quad[i]), 1e-3);
  EXPECT_TRUE(is_convex(quad));
  EXPECT_FALSE(is_convex({quad[0], quad[2], quad[1], quad[3]}));
}

TEST(Augment, StrengthZeroIsRectify) {
  const Plate plate = bar_plate();
  AugmentConfig config;
  config.strength = 0;
  for (const auto& [name, doc] : augmentation_ops()) config.ops.push_back({.op = name});
  cv::Mat augmented, plain;
  Augmenter(config, kSize, one_row())(plate, 1, {0, 0}, augmented);
  rectify(plate.image, plate.quad, kSize, plain);
  EXPECT_TRUE(equal(augmented, plain));
}

TEST(Augment, EveryOpChangesThePictureInPlace) {
  const Plate plate = bar_plate();
  cv::Mat plain;
  rectify(plate.image, plate.quad, kSize, plain);
  for (const auto& [name, doc] : augmentation_ops()) {
    const Augmenter augment(single(name), kSize, one_row());
    int changed = 0;
    for (int64_t index = 0; index < 20; ++index) {
      cv::Mat out(kSize, CV_8UC3);
      const uint8_t* memory = out.data;
      augment(plate, 2, {0, index}, out);
      ASSERT_EQ(out.size(), kSize) << name;
      ASSERT_EQ(out.data, memory) << name << " moved the caller's memory";
      const double difference = mean_difference(out, plain);
      changed += difference > 0.02 ? 1 : 0;
      ASSERT_LT(difference, 90) << name << " destroys the plate";
    }
    EXPECT_GE(changed, 18) << name;
  }
}

TEST(Augment, StrengthScalesTheEffect) {
  const Plate plate = bar_plate();
  cv::Mat plain, out;
  rectify(plate.image, plate.quad, kSize, plain);
  for (const auto& [name, doc] : augmentation_ops()) {
    double effect[2] = {0, 0};
    for (int strong = 0; strong < 2; ++strong) {
      const Augmenter augment(single(name, 1, strong == 1 ? 1.5 : 0.3), kSize, one_row());
      for (int64_t index = 0; index < 40; ++index) {
        augment(plate, 3, {1, index}, out);
        effect[strong] += mean_difference(out, plain);
      }
    }
    EXPECT_GT(effect[1], 1.3 * effect[0]) << name;
  }
}

TEST(Augment, ProbabilityIsTheShareOfChangedSamples) {
  const Plate plate = bar_plate();
  cv::Mat plain, out;
  rectify(plate.image, plate.quad, kSize, plain);
  const Augmenter augment(single("brightness", 0.3), kSize, one_row());
  int changed = 0;
  for (int64_t index = 0; index < 2000; ++index) {
    augment(plate, 5, {0, index}, out);
    changed += equal(out, plain) ? 0 : 1;
  }
  EXPECT_NEAR(changed, 600, 70);  // 3.4 standard deviations
}

TEST(Augment, DependsOnSeedEpochIndexOnly) {
  const Plate plate = bar_plate();
  AugmentConfig config;
  for (const auto& [name, doc] : augmentation_ops()) config.ops.push_back({.op = name});
  const Augmenter augment(config, kSize, one_row());
  constexpr int kCount = 64;
  std::vector<cv::Mat> forward(kCount), threaded(kCount);
  for (int i = 0; i < kCount; ++i) augment(plate, 9, {2, i}, forward[static_cast<size_t>(i)]);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = kCount - 1 - t; i >= 0; i -= 4) {
        augment(plate, 9, {2, i}, threaded[static_cast<size_t>(i)]);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  int different_epoch = 0;
  for (int i = 0; i < kCount; ++i) {
    const auto& expected = forward[static_cast<size_t>(i)];
    EXPECT_TRUE(equal(expected, threaded[static_cast<size_t>(i)])) << i;
    cv::Mat other;
    augment(plate, 9, {3, i}, other);
    different_epoch += equal(expected, other) ? 0 : 1;
  }
  EXPECT_GE(different_epoch, kCount - 1);
}

TEST(Augment, ColourOpsTogetherAreOnePass) {
  // Brightness then saturation as one composed map equals two separate passes but for rounding.
  const Plate plate = bar_plate();
  AugmentConfig config;
  config.ops = {{.op = "brightness", .probability = 1, .strength = 0.3},
                {.op = "saturation", .probability = 1, .strength = 0.3}};
  cv::Mat both, first;
  Augmenter(config, kSize, one_row())(plate, 4, {0, 0}, both);
  config.ops[1].probability = 0;
  Augmenter(config, kSize, one_row())(plate, 4, {0, 0}, first);
  EXPECT_GT(mean_difference(both, first), 0.1);
  EXPECT_LT(mean_difference(both, first), 40);
}

TEST(Augment, UnknownOpIsAUserError) {
  try {
    const Augmenter augment(single("wobble"), kSize, one_row());
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(
        std::string(error.what()).find("unknown augmentation op 'wobble'; known: corner_jitter"),
        std::string::npos)
        << error.what();
  }
}

TEST(Readme, AugmentationTableIsCurrent) {
  std::string table = "| op | what it does at strength 1 |\n|---|---|\n";
  for (const auto& [name, doc] : augmentation_ops()) table += "| `" + name + "` | " + doc + " |\n";
  expect_in_readme("augment-options", table);
}

// A picture whose four quarters have their own colours, seen as a plate of two rows.
TEST(Augment, RowsArePutSideBySide) {
  const Region region = Region::parse(
      "name: toy\nalphabet: AB\nclasses: {x: AB}\nlayouts:\n"
      "  - {name: long, rows: [\"x{4}\"], width_mm: 400, height_mm: 100}\n"
      "  - {name: square, rows: [\"x{2}\", \"x{2}\"], width_mm: 200, height_mm: 150}\n",
      "toy.yaml");
  EXPECT_EQ(region.rows_at(4.0), 1);
  EXPECT_EQ(region.rows_at(1.2), 2);
  const std::array<cv::Scalar, 4> colours = {
      cv::Scalar(10, 10, 10), {90, 90, 90}, {160, 160, 160}, {240, 240, 240}};
  Plate plate;
  plate.image.create(90, 120, CV_8UC3);
  for (int i = 0; i < 4; ++i) {
    plate.image(cv::Rect(60 * (i % 2), 45 * (i / 2), 60, 45)).setTo(colours[size_t(i)]);
  }
  plate.quad = whole_image(plate.image.size());
  cv::Mat out;
  Augmenter({}, kSize, region)(plate, 1, {0, 0}, out);
  ASSERT_EQ(out.size(), kSize);
  for (int i = 0; i < 4; ++i) {  // top left, top right, bottom left, bottom right
    EXPECT_NEAR(out.at<cv::Vec3b>(12, 12 + 23 * i)[0], colours[size_t(i)][0], 2) << i;
  }
  plate.aspect = 4;  // what was seen counts, not the shape of the stored picture
  Augmenter({}, kSize, region)(plate, 1, {0, 0}, out);
  EXPECT_NEAR(out.at<cv::Vec3b>(4, 20)[0], colours[0][0], 2);
  EXPECT_NEAR(out.at<cv::Vec3b>(20, 20)[0], colours[2][0], 2);
}

}  // namespace
}  // namespace plateforge
