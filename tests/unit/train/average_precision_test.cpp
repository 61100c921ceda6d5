#include "train/average_precision.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/golden/coco_ap.h"

namespace plateforge {
namespace {

Detection found(float score, Box box) {
  Detection detection;
  detection.score = score;
  detection.box = box;
  return detection;
}

TruePlate plate(Box box, bool ignore = false) {
  return {.box = box, .corners = {}, .ignore = ignore};
}

// The detection 1 .. 11 has IoU 9 / 11 with the first plate and 9 / 11 with the second (2 .. 12):
// the later of equals. The next one takes what is left, the third finds both taken.
TEST(MatchDetections, EachPlateOnceAndTheLaterOfEquals) {
  const std::vector<TruePlate> plates = {plate({0, 0, 10, 10}), plate({2, 0, 12, 10})};
  const Detection between = found(0.9F, {1, 0, 11, 10});
  const auto matches = match_detections({between, between, between}, plates, 0.5);
  ASSERT_EQ(matches.size(), 3U);
  EXPECT_EQ(matches[0].plate, 1);
  EXPECT_EQ(matches[1].plate, 0);
  EXPECT_EQ(matches[2].plate, -1);
  EXPECT_EQ(match_detections({between}, plates, 9.0 / 11 + 1e-6)[0].plate, -1);
}

// An ignored plate takes any number, by the share of the detection that lies inside it, but only
// what no other plate takes.
TEST(MatchDetections, IgnoredPlatesTakeTheRest) {
  const std::vector<TruePlate> plates = {plate({0, 0, 100, 100}, true), plate({0, 0, 10, 10})};
  const auto matches = match_detections(
      {found(0.9F, {0, 0, 10, 10}), found(0.8F, {0, 0, 10, 10}), found(0.7F, {50, 0, 60, 10}),
       found(0.6F, {95, 0, 105, 10}), found(0.5F, {96, 0, 106, 10})},
      plates, 0.5);
  EXPECT_EQ(matches[0].plate, 1);
  EXPECT_FALSE(matches[0].ignored);
  for (const size_t i : {1U, 2U, 3U}) EXPECT_TRUE(matches[i].ignored) << i;
  EXPECT_EQ(matches[4].plate, -1);  // 40 % inside
}

// Two plates in two frames. By score: right, wrong, right. Precision 1 up to recall 0.5 (51 of the
// 101 recalls), 2/3 up to 1.
TEST(AveragePrecision, ByHand) {
  AveragePrecision measured;
  measured.add({found(0.9F, {0, 0, 10, 10}), found(0.8F, {50, 50, 60, 60})},
               {plate({0, 0, 10, 10})});
  measured.add({found(0.7F, {0, 0, 10, 10})}, {plate({0, 0, 10, 10})});
  EXPECT_NEAR(measured.at(0), (51 + 50 * 2.0 / 3) / 101, 1e-12);
  EXPECT_NEAR(measured.mean(), measured.at(0), 1e-12);
  // No false positive allowed: the limit lies above 0.8.
  EXPECT_EQ(measured.recall_at(0.49).hits, 1);
  EXPECT_EQ(measured.recall_at(0.5).hits, 2);
  EXPECT_EQ(measured.recall_at(0.5).total, 2);
}

// Right and wrong with equal scores cannot be told apart by a limit.
TEST(AveragePrecision, RecallLooksBetweenDifferentScores) {
  AveragePrecision measured;
  measured.add({found(0.9F, {0, 0, 10, 10}), found(0.9F, {50, 50, 60, 60})},
               {plate({0, 0, 10, 10})});
  EXPECT_EQ(measured.recall_at(0.5).hits, 0);
  EXPECT_EQ(measured.recall_at(1).hits, 1);
}

TEST(AveragePrecision, IsZeroWithoutPlatesOrDetections) {
  AveragePrecision none;
  EXPECT_EQ(none.mean(), 0);
  none.add({found(0.9F, {0, 0, 10, 10})}, {});
  EXPECT_EQ(none.at(0), 0);
  EXPECT_EQ(none.recall_at(1).total, 0);
  AveragePrecision blind;
  blind.add({}, {plate({0, 0, 10, 10})});
  EXPECT_EQ(blind.mean(), 0);
}

TEST(AveragePrecision, AgreesWithPycocotools) {
  for (const CocoGolden& golden : kCocoGolden) {
    AveragePrecision measured;
    for (const CocoFrame& frame : golden.frames) {
      const auto box = [](const std::array<double, 5>& row) -> Box {
        return {static_cast<float>(row[0]), static_cast<float>(row[1]), static_cast<float>(row[2]),
                static_cast<float>(row[3])};
      };
      std::vector<TruePlate> plates;
      for (const auto& row : frame.plates) plates.push_back(plate(box(row), row[4] != 0));
      std::vector<Detection> detections;
      for (const auto& row : frame.detections)
        detections.push_back(found(static_cast<float>(row[4] / 100), box(row)));
      std::stable_sort(detections.begin(), detections.end(),
                       [](const Detection& a, const Detection& b) { return a.score > b.score; });
      measured.add(detections, plates);
    }
    EXPECT_NEAR(measured.at(0), golden.ap50, 1e-12);
    EXPECT_NEAR(measured.at(5), golden.ap75, 1e-12);
    EXPECT_NEAR(measured.mean(), golden.ap50_95, 1e-12);
  }
}

}  // namespace
}  // namespace plateforge
