#include "models/decode/boxes.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>

#include "models/box.h"
#include "tests/support/anchors.h"

namespace plateforge {
namespace {

using torch::Tensor;

DetectorConfig detector(const std::string& regression) {
  DetectorConfig config;
  config.regression = regression;
  config.reg_max = 5;
  return config;
}

float logit(double p) { return static_cast<float>(std::log(p / (1 - p))); }

Detection found(float score, Box box) {
  Detection detection;
  detection.score = score;
  detection.box = box;
  return detection;
}

std::vector<float> scores(const std::vector<Detection>& detections) {
  std::vector<float> all;
  for (const Detection& detection : detections) all.push_back(detection.score);
  return all;
}

TEST(Box, IouByHand) {
  EXPECT_DOUBLE_EQ(iou({0, 0, 4, 2}, {2, 0, 6, 2}), 4.0 / 12);
  EXPECT_DOUBLE_EQ(iou({0, 0, 4, 2}, {0, 0, 4, 2}), 1);
  EXPECT_DOUBLE_EQ(iou({0, 0, 4, 2}, {4, 0, 6, 2}), 0);
  EXPECT_DOUBLE_EQ(iou({1, 1, 1, 1}, {1, 1, 1, 1}), 0);  // no area
  EXPECT_DOUBLE_EQ(iou({4, 0, 0, 2}, {0, 0, 4, 2}), 0);  // turned inside out
}

// Boxes of 10 x 10 shifted by 2 have IoU 80 / 120 = 2/3, by 4 60 / 140 = 3/7, by 6 40 / 160 = 1/4.
TEST(Nms, PlainKeepsTheBetterOfTwoThatOverlap) {
  const std::vector<Detection> all = {found(0.6F, {2, 0, 12, 10}), found(0.9F, {0, 0, 10, 10}),
                                      found(0.7F, {6, 0, 16, 10}), found(0.5F, {4, 0, 14, 10})};
  EXPECT_EQ(scores(suppress(all, {.iou = 0.45})), (std::vector<float>{0.9F, 0.7F}));
  // 3/7 passes 0.5 beside the best, but the one at 4 overlaps the one at 6 with 2/3.
  EXPECT_EQ(scores(suppress(all, {.iou = 0.5})), (std::vector<float>{0.9F, 0.7F}));
  EXPECT_EQ(scores(suppress(all, {.iou = 0.7})), (std::vector<float>{0.9F, 0.7F, 0.6F, 0.5F}));
  EXPECT_EQ(scores(suppress(all, {.iou = 0.7, .max_detections = 3})),
            (std::vector<float>{0.9F, 0.7F, 0.6F}));
  EXPECT_TRUE(suppress({}, {}).empty());
}

// A box that a suppressed one overlaps stays.
TEST(Nms, SuppressedBoxesSuppressNothing) {
  const std::vector<Detection> chain = {found(0.9F, {0, 0, 10, 10}), found(0.8F, {4, 0, 14, 10}),
                                        found(0.7F, {8, 0, 18, 10})};
  EXPECT_EQ(scores(suppress(chain, {.iou = 0.4})), (std::vector<float>{0.9F, 0.7F}));
}

TEST(Nms, SoftLinearLowersScores) {
  const std::vector<Detection> all = {found(0.9F, {0, 0, 10, 10}), found(0.8F, {2, 0, 12, 10}),
                                      found(0.5F, {6, 0, 16, 10})};
  // 0.8 x (1 - 2/3); the last overlaps the first by 1/4 and the second by 3/7: untouched.
  const auto kept = suppress(all, {.score = 0.1, .iou = 0.45, .nms = Nms::kSoftLinear});
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_FLOAT_EQ(kept[1].score, 0.5F);
  EXPECT_NEAR(kept[2].score, 0.8 / 3, 1e-6);
  EXPECT_EQ(kept[2].box[0], 2);  // its rank fell with its score
  EXPECT_EQ(suppress(all, {.score = 0.3, .iou = 0.45, .nms = Nms::kSoftLinear}).size(), 2U);
}

TEST(Nms, SoftGaussianLowersScoresByTheirOverlap) {
  const std::vector<Detection> all = {found(0.9F, {0, 0, 10, 10}), found(0.8F, {2, 0, 12, 10}),
                                      found(0.5F, {50, 0, 60, 10})};
  const auto kept = suppress(all, {.score = 0.1, .nms = Nms::kSoftGaussian, .sigma = 0.5});
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_FLOAT_EQ(kept[1].score, 0.5F);
  EXPECT_NEAR(kept[2].score, 0.8 * std::exp(-(4.0 / 9) / 0.5), 1e-6);
}

// Anchor 5 of 4 x 4 at (8, 8), stride 8.
TEST(DecodeBoxes, DistancesAndCornersByHand) {
  const auto anchors = square_anchors(32, {{8, {16}}});
  const auto config = detector("distance");
  auto output = torch::full({2, 16, DetectorOutput(config).size()}, -10.F);
  output[1][5] = torch::tensor({logit(0.8), 0.5F, 0.25F, 2.F, 5.F,  //
                                -0.5F, -0.25F, 2.F, -0.5F, 4.F, 1.F, -2.F, 0.75F});
  const auto images = decode_detections(output, anchors, config);
  ASSERT_EQ(images.size(), 2U);
  EXPECT_TRUE(images[0].empty());
  ASSERT_EQ(images[1].size(), 1U);
  const Detection& plate = images[1].front();
  EXPECT_NEAR(plate.score, 0.8, 1e-6);
  EXPECT_EQ(plate.box, (Box{4, 6, 24, 32}));  // 48 is outside the input
  const std::array<std::pair<float, float>, 4> corners = {{{4, 6}, {24, 4}, {40, 16}, {-8, 14}}};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(plate.corners[i].x, corners[i].first);
    EXPECT_EQ(plate.corners[i].y, corners[i].second);
  }
  const auto clipped = decode_detections(output, anchors, config, {.clip_corners = true})[1][0];
  EXPECT_EQ(clipped.corners[2].x, 32);
  EXPECT_EQ(clipped.corners[3].x, 0);
}

TEST(DecodeBoxes, ThresholdCandidatesAndBadBoxes) {
  const auto anchors = square_anchors(32, {{8, {16}}});
  const auto config = detector("distance");
  auto output = torch::full({1, 16, DetectorOutput(config).size()}, 0.4F);
  output.select(2, 0).fill_(-10);
  for (int64_t a = 0; a < 16; a += 2) output[0][a][0] = static_cast<float>(a) / 10;
  EXPECT_EQ(decode_detections(output, anchors, config, {.score = 0.5})[0].size(), 8U);
  EXPECT_EQ(decode_detections(output, anchors, config, {.score = 0.5001})[0].size(), 7U);
  EXPECT_EQ(decode_detections(output, anchors, config, {.score = 0})[0].size(), 16U);
  const auto three = decode_detections(output, anchors, config, {.max_candidates = 3})[0];
  ASSERT_EQ(three.size(), 3U);
  EXPECT_NEAR(three[0].score, 1 / (1 + std::exp(-1.4)), 1e-6);
  EXPECT_NEAR(three[2].score, 1 / (1 + std::exp(-1.0)), 1e-6);

  output[0][14][1] = std::numeric_limits<float>::quiet_NaN();
  output[0][12][3] = -1;  // right of itself
  output[0][10][0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(decode_detections(output, anchors, config, {.score = 0.5})[0].size(), 5U);
}

// Tensor operations on every anchor, then the same suppression.
std::vector<Detection> decode_by_tensors(const Tensor& output, const Anchors& anchors,
                                         const DetectorConfig& config, const DetectOptions& options,
                                         float size) {
  const DetectorOutput layout(config);
  const auto stride = anchors.strides.unsqueeze(1);
  auto sides = output.slice(1, layout.box(), layout.corners());
  if (layout.bins > 1)
    sides = (sides.reshape({-1, 4, layout.bins}).softmax(2) * torch::arange(layout.bins)).sum(2);
  const auto boxes = torch::cat({anchors.centers - sides.slice(1, 0, 2) * stride,
                                 anchors.centers + sides.slice(1, 2, 4) * stride},
                                1)
                         .clamp(0, size);
  const auto corners = anchors.centers.repeat({1, 4}) + output.slice(1, layout.corners()) * stride;
  const auto probability = output.select(1, 0).sigmoid();
  std::vector<Detection> all;
  for (int64_t a = 0; a < output.size(0); ++a) {
    if (probability[a].item<double>() < options.score) continue;
    Detection detection;
    detection.score = probability[a].item<float>();
    for (int64_t i = 0; i < 4; ++i)
      detection.box[static_cast<size_t>(i)] = boxes[a][i].item<float>();
    for (int64_t i = 0; i < 4; ++i)
      detection.corners[static_cast<size_t>(i)] = {corners[a][2 * i].item<float>(),
                                                   corners[a][2 * i + 1].item<float>()};
    if (area(detection.box) > 0) all.push_back(detection);
  }
  return suppress(all, options);
}

TEST(DecodeBoxes, AgreesWithTensorOperations) {
  torch::manual_seed(5);
  const auto anchors = square_anchors(64, {{8, {12, 24}}, {16, {32, 48}}});
  for (const char* regression : {"gfl", "distance"}) {
    for (const Nms nms : {Nms::kPlain, Nms::kSoftLinear, Nms::kSoftGaussian}) {
      const auto config = detector(regression);
      const DetectOptions options{.score = 0.3, .nms = nms};
      const auto output =
          torch::randn({2, anchors.centers.size(0), DetectorOutput(config).size()}) * 2;
      // Not contiguous.
      const auto images = decode_detections(output.transpose(1, 2).contiguous().transpose(1, 2),
                                            anchors, config, options);
      for (int64_t n = 0; n < 2; ++n) {
        const auto wanted = decode_by_tensors(output[n], anchors, config, options, 64);
        const auto& image = images[static_cast<size_t>(n)];
        ASSERT_EQ(image.size(), wanted.size());
        ASSERT_GT(wanted.size(), 3U);
        for (size_t i = 0; i < wanted.size(); ++i) {
          EXPECT_NEAR(image[i].score, wanted[i].score, 1e-5);
          for (size_t k = 0; k < 4; ++k) {
            EXPECT_NEAR(image[i].box[k], wanted[i].box[k], 1e-3);
            EXPECT_NEAR(image[i].corners[k].x, wanted[i].corners[k].x, 1e-3);
            EXPECT_NEAR(image[i].corners[k].y, wanted[i].corners[k].y, 1e-3);
          }
        }
      }
    }
  }
}

TEST(DecodeBoxes, RefusesAnotherLayout) {
  const auto anchors = square_anchors(32, {{8, {16}}});
  EXPECT_THROW(decode_detections(torch::zeros({1, 16, 13}), anchors, detector("gfl")), c10::Error);
}

}  // namespace
}  // namespace plateforge
