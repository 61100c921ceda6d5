#include "train/detection_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/problem.h"

namespace plateforge {
namespace {

std::array<Point, 4> corners_of(const Box& box) {
  return {Point{box[0], box[1]}, {box[2], box[1]}, {box[2], box[3]}, {box[0], box[3]}};
}

// Its corners are those of its box, moved by `off` to the right.
Detection found(float score, Box box, float off = 0) {
  Detection detection{.score = score, .box = box, .corners = corners_of(box)};
  for (Point& corner : detection.corners) corner.x += off;
  return detection;
}

TruePlate plate(Box box, bool corners = true) {
  TruePlate truth{.box = box, .corners = {}, .ignore = false};
  if (corners) truth.corners = corners_of(box);
  return truth;
}

TruePlate ignored(Box box) { return {.box = box, .corners = {}, .ignore = true}; }

constexpr Box kHere = {0, 0, 40, 10}, kThere = {100, 100, 140, 110};

DetectionMetrics measure(const std::vector<FrameResult>& frames) {
  DetectionMetrics metrics(0.5);
  for (const FrameResult& frame : frames) metrics.add(frame);
  return metrics;
}

// The best box alone is judged, whatever its score. IoU of 40 x 10 shifted by 7: 33 / 47 = 0.702;
// by 8: 32 / 48 = 0.667.
TEST(DetectionMetrics, CcpdRuleLooksAtTheBestBox) {
  const auto metrics = measure({{{plate(kHere)}, {found(0.1F, {7, 0, 47, 10})}, "db/1"},
                                {{plate(kHere)}, {found(0.9F, {8, 0, 48, 10})}, "db/2"},
                                {{plate(kHere)}, {found(0.8F, kHere), found(0.9F, kThere)}, "db/3"},
                                {{plate(kThere), plate(kHere)}, {found(0.9F, kHere)}, "db/4"},
                                {{plate(kHere)}, {}, "db/5"},
                                {{ignored(kHere)}, {found(0.9F, kHere)}, "db/6"},
                                {{}, {found(0.9F, kHere)}, "db/7"}});
  EXPECT_EQ(metrics.iou70().all().hits, 2);
  EXPECT_EQ(metrics.iou70().all().total, 5);
  EXPECT_EQ(metrics.samples(), 7);
  EXPECT_TRUE(metrics.to_json()["per_subset"].empty());
  EXPECT_TRUE(metrics.to_json()["pooled"].is_null());
}

// Official sizes: db 10132, tilt 30216.
TEST(DetectionMetrics, SubsetsArePooledByTheirOfficialSizes) {
  std::vector<FrameResult> frames;
  for (int i = 0; i < 4; ++i) {
    frames.push_back({{plate(kHere)}, {found(0.9F, i < 1 ? kHere : kThere)}, "x/ccpd_db/a.jpg"});
    frames.push_back({{plate(kHere)}, {found(0.9F, i < 3 ? kHere : kThere)}, "x/tilt/a.jpg"});
    frames.push_back({{plate(kHere)}, {}, "x/other/a.jpg"});
  }
  const auto metrics = measure(frames);
  const double db = 10132.0 / (10132 + 30216), tilt = 1 - db;
  ASSERT_TRUE(metrics.iou70().weighted());
  const auto [value, interval] = *metrics.iou70().weighted();
  EXPECT_NEAR(value, 0.25 * db + 0.75 * tilt, 1e-12);
  const auto low_db = Proportion{1, 4}.interval95().first;
  const auto low_tilt = Proportion{3, 4}.interval95().first;
  EXPECT_NEAR(interval.first, value - std::hypot(db * (0.25 - low_db), tilt * (0.75 - low_tilt)),
              1e-12);
  const auto json = metrics.to_json();
  EXPECT_EQ(json["per_subset"]["other"]["iou70"], 0);
  EXPECT_EQ(json["per_subset"]["ccpd_db"]["samples"], 4);
  EXPECT_EQ(json["pooled"]["subsets"], (nlohmann::json{"db", "tilt"}));
  EXPECT_EQ(json["iou70"], 4.0 / 12);
}

// At the threshold of 0.5: two right, one wrong beside a plate, two wrong in one of the two empty
// frames, one on an ignored plate that does not count; a plate below the threshold is not found.
TEST(DetectionMetrics, CountsAtTheThreshold) {
  const auto metrics =
      measure({{{plate(kHere)}, {found(0.9F, kHere), found(0.6F, kThere)}, ""},
               {{plate(kHere), ignored(kThere)}, {found(0.5F, kHere), found(0.6F, kThere)}, ""},
               {{plate(kHere)}, {found(0.4F, kHere)}, ""},
               {{}, {found(0.9F, kHere), found(0.8F, kThere), found(0.1F, kThere)}, ""},
               {{}, {}, ""}});
  EXPECT_EQ(metrics.precision().hits, 2);
  EXPECT_EQ(metrics.precision().total, 5);
  EXPECT_EQ(metrics.recall().hits, 2);
  EXPECT_EQ(metrics.recall().total, 3);
  EXPECT_NEAR(metrics.f1(), 2 * 0.4 * (2.0 / 3) / (0.4 + 2.0 / 3), 1e-12);
  EXPECT_EQ(metrics.false_positives_per_empty_frame(), 1);
  const auto json = metrics.to_json();
  EXPECT_EQ(json["empty_frames"], 2);
  EXPECT_EQ(json["empty_frames_with_detections"], 0.5);
  EXPECT_EQ(json["plates"], 3);
  // Scores 0.9 right, 0.9 wrong, 0.8 wrong, 0.6 wrong, 0.5 right, 0.4 right, 0.1 wrong in 5 frames.
  EXPECT_EQ(json["recall_at_fppi"][0]["recall"], 0);
  EXPECT_EQ(json["recall_at_fppi"][2]["recall"], 1);
}

// Errors of 0, 1, 2 and 3 pixels at a height of 10; the found plate without corners and the one
// below the threshold do not count, but the latter's corners were not found.
TEST(DetectionMetrics, CornerErrorInPercentOfTheHeight) {
  std::vector<FrameResult> frames;
  for (const float off : {3.F, 0.F, 1.F, 2.F})
    frames.push_back({{plate(kHere)}, {found(0.9F, kHere, off)}, ""});
  frames.push_back({{plate(kHere, /*corners=*/false)}, {found(0.9F, kHere, 9)}, ""});
  frames.push_back({{plate(kHere)}, {found(0.4F, kHere)}, ""});
  const auto metrics = measure(frames);
  const auto error = metrics.corner_error();
  ASSERT_TRUE(error);
  EXPECT_NEAR(error->mean, 15, 1e-9);
  EXPECT_NEAR(error->median, 15, 1e-9);
  EXPECT_NEAR(error->p95, 28.5, 1e-9);  // 0.85 of the way from 20 to 30
  // Deviation sqrt(500 / 3), four plates.
  EXPECT_NEAR(error->interval95.second - error->mean, 1.96 * std::sqrt(500.0 / 3 / 4), 1e-3);
  EXPECT_EQ(metrics.corner_accuracy().hits, 1);
  EXPECT_EQ(metrics.corner_accuracy().total, 5);
  EXPECT_EQ(metrics.to_json()["corner_error"]["samples"], 4);
}

// A leaning plate: sides of 10 and 20 pixels, height 15; one corner of four is 3 pixels off.
TEST(DetectionMetrics, HeightIsTheMeanOfBothSides) {
  TruePlate truth = plate({0, 0, 40, 20});
  truth.corners = {{{0, 0}, {40, 0}, {40, 20}, {0, 10}}};
  Detection detection = found(0.9F, {0, 0, 40, 20});
  detection.corners = *truth.corners;
  detection.corners[2].y += 3;
  const auto metrics = measure({{{truth}, {detection}, ""}});
  EXPECT_NEAR(metrics.corner_error()->mean, 100 * 0.75 / 15, 1e-9);
}

TEST(DetectionMetrics, EmptySetHasNoValues) {
  const auto metrics = measure({});
  EXPECT_EQ(metrics.value("iou70"), 0);
  EXPECT_TRUE(std::isinf(metrics.value("corner_error")));
  const auto json = metrics.to_json();
  EXPECT_EQ(json["interval95"]["iou70"], (nlohmann::json{0.0, 1.0}));
  EXPECT_TRUE(json["corner_error"].is_null());
  EXPECT_TRUE(json["false_positives_per_empty_frame"].is_null());
  EXPECT_FALSE(metrics.to_text().empty());
}

TEST(DetectionMetrics, EveryValueIsInTheJson) {
  const auto metrics = measure({{{plate(kHere)}, {found(0.9F, kHere, 1)}, "a/1"}, {{}, {}, "b/2"}});
  const auto json = metrics.to_json();
  for (const char* name : {"iou70", "ap50", "ap75", "ap50_95", "precision", "recall", "f1",
                           "corner_accuracy", "false_positives_per_empty_frame"})
    EXPECT_EQ(json[name].get<double>(), metrics.value(name)) << name;
  EXPECT_EQ(metrics.value("ap50_95"), 1);
  EXPECT_EQ(json["corner_error"]["mean"].get<double>(), metrics.value("corner_error"));
  EXPECT_NE(problem_of([&] { metrics.value("map"); }).find("known: ap50, ap50_95"),
            std::string::npos);
}

}  // namespace
}  // namespace plateforge
