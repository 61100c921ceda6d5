#include <gtest/gtest.h>

#include "train/evaluate_system.h"

namespace plateforge {
namespace {

const Region& region() {
  static const auto pack = Region::load("cn");
  return pack;
}

TruePlate truth(float left) {
  return {.box = {left, 0, left + 40, 10}, .corners = {}, .ignore = false};
}

// Moved by `off` of 40 pixels: IoU (40 - off) / (40 + off).
FoundPlate found(float left, float off, const std::string& text) {
  return {.score = 0.9F, .box = {left + off, 0, 40, 10}, .texts = {{text, 0.9}}, .crop = {}};
}

// IoU 7 / 9 and above: found. 32 / 48: readable, no find. 28 / 52: neither.
TEST(SystemMetrics, CountsByHand) {
  SystemMetrics metrics(region());
  metrics.add({{truth(0)}, {"皖A12345"}, {found(0, 0, "皖A12345")}, "x/base/1.jpg"});
  metrics.add({{truth(0)}, {"皖A12345"}, {found(0, 8, "皖A12345")}, "x/base/2.jpg"});
  metrics.add({{truth(0)}, {"皖A12345"}, {found(0, 12, "皖A12345")}, "x/tilt/3.jpg"});
  metrics.add({{truth(0)}, {"皖A12345"}, {found(0, 5, "苏A12345")}, "x/tilt/4.jpg"});
  metrics.add({{truth(0)}, {"皖AD12345"}, {found(0, 0, "皖AD1234")}, "x/db/5.jpg"});
  metrics.add({{truth(0)}, {"皖A12345"}, {}, "x/db/6.jpg"});
  // Two plates; the better-scored detection is on no plate.
  metrics.add({{truth(0), truth(100)},
               {"皖A12345", "皖B12345"},
               {found(200, 0, "皖A12345"), found(100, 0, "皖B12345"), found(0, 0, "皖A12345")},
               "x/db/7.jpg"});
  metrics.add({{}, {}, {found(0, 0, "皖A12345")}, "x/np/8.jpg"});
  auto ignored = truth(0);
  ignored.ignore = true;
  metrics.add({{ignored, truth(100)}, {"", ""}, {}, "x/db/9.jpg"});

  EXPECT_EQ(metrics.samples(), 9);
  EXPECT_EQ(metrics.iou70().all().hits, 3);  // frames 1, 4, 5
  EXPECT_EQ(metrics.iou70().all().total, 8);
  EXPECT_EQ(metrics.end_to_end().all().hits, 4);  // 1, 2 and both of 7
  EXPECT_EQ(metrics.end_to_end().all().total, 8);
  EXPECT_EQ(metrics.without_region().all().hits, 5);  // and 4
  EXPECT_EQ(metrics.false_positives(), 3);            // 3, 7, 8
  const auto json = metrics.to_json();
  EXPECT_EQ(json["plates"], 8);
  EXPECT_EQ(json["end_to_end70"]["end_to_end70"], 3.0 / 8);
  EXPECT_EQ(json["by_length"]["8"]["end_to_end"], 0);
  EXPECT_EQ(json["by_length"]["7"]["samples"], 7);
  EXPECT_EQ(json["reading"]["samples"], 6);
  EXPECT_EQ(json["end_to_end"]["per_subset"]["base"]["end_to_end"], 1);
  // The authors' way knows db and tilt, the plain mean base as well.
  const double db = 10132.0 / (10132 + 30216);
  EXPECT_NEAR(json["end_to_end"]["pooled"]["end_to_end"].get<double>(), db * 0.5, 1e-12);
  EXPECT_NEAR(json["end_to_end"]["subset_mean"]["end_to_end"].get<double>(), (1 + 0.5 + 0) / 3,
              1e-12);
  EXPECT_NE(metrics.published_text().find("this system"), std::string::npos);
}

TEST(SystemMetrics, CropsStandForTheReaderAlone) {
  SystemMetrics metrics(region());
  metrics.add_crop("rectify", {"皖A12345", "皖A12345", "x/1.jpg", 1});
  metrics.add_crop("rectify", {"皖A12345", "苏A12345", "x/2.jpg", 1});
  metrics.add_crop("box", {"皖A12345", "皖A1234", "x/1.jpg", 1});
  const auto json = metrics.to_json()["crops"];
  EXPECT_EQ(json["rectify"]["exact_match"]["exact_match"], 0.5);
  EXPECT_EQ(json["rectify"]["exact_match_without_region"]["exact_match_without_region"], 1);
  EXPECT_EQ(json["box"]["exact_match"]["exact_match"], 0);
  EXPECT_EQ(metrics.published_text(), "");
}

}  // namespace
}  // namespace plateforge
