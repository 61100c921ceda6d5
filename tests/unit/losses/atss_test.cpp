#include "losses/atss.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>

#include "tests/support/anchors.h"

namespace plateforge {
namespace {

std::vector<int64_t> where(const std::vector<int64_t>& plate_of, int64_t value) {
  std::vector<int64_t> anchors;
  for (size_t a = 0; a < plate_of.size(); ++a)
    if (plate_of[a] == value) anchors.push_back(static_cast<int64_t>(a));
  return anchors;
}

TEST(Atss, WithoutPlatesEverythingIsBackground) {
  const auto plate_of = assign_atss(square_anchors(32, {{8, {16}}}), {});
  EXPECT_EQ(plate_of, std::vector<int64_t>(16, kBackground));
}

// Centres 0, 8, 16, 24 in x and y, anchors of 16 x 16; the plate equals the anchor at (16, 16),
// number 10. Its nine candidates: itself with IoU 1, four beside it (128 of 384: 1/3), four
// diagonal ones (64 of 448: 1/7). Mean 0.3228, unbiased deviation 0.2713, so the limit of 0.594 is
// passed by the anchor itself alone.
TEST(Atss, ThresholdIsMeanAndDeviation) {
  const std::vector<PlateBox> plates = {{{8, 8, 24, 24}}};
  EXPECT_EQ(where(assign_atss(square_anchors(32, {{8, {16}}}), plates), 0),
            (std::vector<int64_t>{10}));
}

// The four nearest centres of the plate 4 .. 20 are (8, 8), (16, 8), (8, 16) and (16, 16), all
// with the same IoU: no deviation, every one of them reaches the mean. 144 of 368.
TEST(Atss, EqualCandidatesAreAllPositive) {
  const std::vector<PlateBox> plates = {{{4, 4, 20, 20}}};
  const auto plate_of = assign_atss(square_anchors(32, {{8, {16}}}), plates, {.candidates = 4});
  EXPECT_EQ(where(plate_of, 0), (std::vector<int64_t>{5, 6, 9, 10}));
}

// A wide plate 0 .. 32 x 12 .. 20 has its centre at (16, 16). Of three candidates the nearest is
// 10, then at equal distance the lower numbers: 6 (16, 8) and 9 (8, 16). IoUs: anchor 10 covers
// 16 x 8 = 128 of 384; 6 covers 16 x 4 = 64 of 448; 9 as 10, 128 of 384. Mean 0.2698, deviation
// 0.1100: the limit of 0.38 is above all, and the plate gets the best one inside, the nearest.
TEST(Atss, PlateThatNoAnchorQualifiesForGetsItsBest) {
  const std::vector<PlateBox> plates = {{{0, 12, 32, 20}}};
  const auto plate_of = assign_atss(square_anchors(32, {{8, {16}}}), plates, {.candidates = 3});
  EXPECT_EQ(where(plate_of, 0), (std::vector<int64_t>{10}));
}

// 3 x 3 pixels between the centres (8, 8) and (16, 8): no centre inside.
TEST(Atss, PlateSmallerThanAStrideIsNotLost) {
  const std::vector<PlateBox> plates = {{{9, 7, 12, 10}}};
  const auto plate_of = assign_atss(square_anchors(32, {{8, {16}}}), plates);
  ASSERT_EQ(where(plate_of, 0).size(), 1U);
  EXPECT_EQ(where(plate_of, 0).front(), 5);  // (8, 8), the nearest of those that hold it whole
}

// The plate 4 .. 20 wants 5, 6, 9 and 10 with IoU 0.39 each, the plate 8 .. 24 wants 10, which it
// equals: 10 is its, whichever comes first.
TEST(Atss, SharedAnchorsGoToTheHigherIou) {
  const PlateBox between{{4, 4, 20, 20}}, exact{{8, 8, 24, 24}};
  const auto anchors = square_anchors(32, {{8, {16}}});
  const AtssOptions four{.candidates = 4};
  const auto one = assign_atss(anchors, std::vector<PlateBox>{between, exact}, four);
  EXPECT_EQ(where(one, 0), (std::vector<int64_t>{5, 6, 9}));
  EXPECT_EQ(where(one, 1), (std::vector<int64_t>{10}));
  const auto other = assign_atss(anchors, std::vector<PlateBox>{exact, between}, four);
  EXPECT_EQ(where(other, 0), (std::vector<int64_t>{10}));
  EXPECT_EQ(where(other, 1), (std::vector<int64_t>{5, 6, 9}));
}

// The same box twice: the first plate takes the anchor, the second the best that is left.
TEST(Atss, TwinPlatesBothGetAnAnchor) {
  const std::vector<PlateBox> plates = {{{8, 8, 24, 24}}, {{8, 8, 24, 24}}};
  const auto plate_of = assign_atss(square_anchors(32, {{8, {16}}}), plates);
  EXPECT_EQ(plate_of[10], 0);
  const auto second = where(plate_of, 1);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second.front(), 6);  // beside it, centre on the edge: none is further inside

  // One candidate each: the second plate's is taken.
  const auto lost = assign_atss(square_anchors(32, {{8, {16}}}), plates, {.candidates = 1});
  EXPECT_TRUE(where(lost, 1).empty());
}

// Both scales of a location share its centre; a level smaller than k gives all of its anchors.
// Plate 0 .. 16 on centres (0, 0), (8, 0), (0, 8), (8, 8) with sides 8 and 16: the anchor of 16 at
// (8, 8), number 7, fits exactly; the one of 8, number 6, covers a quarter.
TEST(Atss, ScalesShareALocationAndSmallLevelsGiveAll) {
  const std::vector<PlateBox> plates = {{{0, 0, 16, 16}}};
  const auto plate_of = assign_atss(square_anchors(16, {{8, {8, 16}}}), plates);
  ASSERT_EQ(plate_of.size(), 8U);
  EXPECT_EQ(where(plate_of, 0), (std::vector<int64_t>{7}));
}

// The level whose anchors fit the plate gets it: 64 pixels, sides 16 at stride 8 and 64 at 16.
TEST(Atss, LevelFollowsFromTheSize) {
  const auto anchors = square_anchors(128, {{8, {16}}, {16, {64}}});
  const std::vector<PlateBox> plates = {{{32, 32, 96, 96}}};
  const auto positives = where(assign_atss(anchors, plates), 0);
  ASSERT_FALSE(positives.empty());
  for (const int64_t a : positives) EXPECT_GE(a, anchors.level_sizes[0]);
  EXPECT_NE(std::find(positives.begin(), positives.end(), anchors.level_sizes[0] + 4 * 8 + 4),
            positives.end());
}

// The ignored region 0 .. 16 x 0 .. 16 holds the centres of 0, 1, 2, 4, 5, 6, 8, 9 and 10; the last
// is the other plate's own.
TEST(Atss, IgnoredRegionsLeaveTheirAnchorsOut) {
  const std::vector<PlateBox> plates = {{{0, 0, 16, 16}, true}, {{8, 8, 24, 24}}};
  const auto plate_of = assign_atss(square_anchors(32, {{8, {16}}}), plates);
  EXPECT_EQ(where(plate_of, kIgnoredAnchor), (std::vector<int64_t>{0, 1, 2, 4, 5, 6, 8, 9}));
  EXPECT_EQ(where(plate_of, 1), (std::vector<int64_t>{10}));
}

TEST(Atss, PlateWithoutAreaGetsAnAnchorAndNoCrash) {
  const std::vector<PlateBox> plates = {{{10, 10, 10, 10}}};
  EXPECT_EQ(where(assign_atss(square_anchors(32, {{8, {16}}}), plates), 0).size(), 1U);
}

}  // namespace
}  // namespace plateforge
