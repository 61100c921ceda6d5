#include "losses/detection.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "data/batch.h"
#include "tests/support/anchors.h"
#include "tests/unit/losses/detection_reference.h"

namespace plateforge {
namespace {

using torch::Tensor;
using Values = std::vector<float>;  // of a plate, kPlateValues

DetectorConfig detector(const std::string& regression) {
  DetectorConfig config;
  config.regression = regression;
  config.reg_max = 5;
  return config;
}

// A plate whose corners, if known, are those of its box moved by (1, -1), (2, 0), (0, 1), (-1, 2).
Values plate(float left, float top, float right, float bottom, PlateKnowledge known) {
  Values values = {left, top, right, bottom};
  for (const float corner :
       {left + 1, top - 1, right + 2, top, right, bottom + 1, left - 1, bottom + 2})
    values.push_back(known == kBoxAndCorners ? corner : 0);
  values.push_back(static_cast<float>(known));
  return values;
}

Plates batch_of(const std::vector<std::vector<Values>>& images) {
  size_t most = 1;
  for (const auto& image : images) most = std::max(most, image.size());
  Plates batch{
      torch::zeros({static_cast<int64_t>(images.size()), static_cast<int64_t>(most), kPlateValues}),
      torch::zeros({static_cast<int64_t>(images.size())}, torch::kLong)};
  for (size_t n = 0; n < images.size(); ++n) {
    const auto row = static_cast<int64_t>(n);
    batch.lengths[row] = static_cast<int64_t>(images[n].size());
    for (size_t m = 0; m < images[n].size(); ++m)
      batch.targets[row][static_cast<int64_t>(m)] = torch::tensor(images[n][m]);
  }
  return batch;
}

// Two levels, two plates in the first image, none in the second, one and an ignored one in the
// third; the small plate has no anchor with its centre inside.
struct Case {
  Anchors anchors = square_anchors(64, {{8, {12, 24}}, {16, {32, 48}}});
  Plates plates =
      batch_of({{plate(5, 9, 30, 20, kBoxAndCorners), plate(33, 25, 38, 30, kBoxOnly)},
                {},
                {plate(2, 2, 60, 50, kBoxAndCorners), plate(40, 0, 64, 20, kIgnoredPlate)}});
  Tensor output(const DetectorConfig& config, torch::ScalarType type) const {
    torch::manual_seed(3);
    return torch::randn({3, anchors.centers.size(0), DetectorOutput(config).size()}, type) * 1.5;
  }
};

class BothRegressions : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(DetectionLoss, BothRegressions, testing::Values("gfl", "distance"),
                         [](const auto& test) { return test.param; });

// In double what is wanted is still rounded to float.
TEST_P(BothRegressions, AgreesWithALoopOverAnchors) {
  const Case set;
  const auto config = detector(GetParam());
  for (const auto& [scale, beta] : {std::pair{"plate", 2.0}, {"stride", 2.0}, {"plate", 1.5}}) {
    DetectionLossConfig weights;
    weights.corner_scale = scale;
    weights.quality_beta = beta;
    weights.corner_beta = 0.3;
    for (const auto& [type, tolerance] : {std::pair{torch::kDouble, 1e-7}, {torch::kFloat, 2e-6}}) {
      const auto output = set.output(config, type);
      const auto loss = detection_loss(output, set.plates.targets, set.plates.lengths, set.anchors,
                                       config, weights);
      const auto wanted = Reference(config, weights)(output, set.plates, set.anchors);
      EXPECT_EQ(loss.total().scalar_type(), type);
      size_t term = 0;
      for (const auto& value : {loss.score, loss.box, loss.distribution, loss.corners}) {
        EXPECT_NEAR(value.item<double>(), wanted[term], tolerance * (1 + wanted[term]))
            << "term " << term << " " << scale;
        ++term;
      }
      EXPECT_GT(wanted[3], 0.1);
    }
  }
}

// Scores answer to the score logits alone (their target is detached), the rest to everything but
// them (their weight is detached).
TEST_P(BothRegressions, GradientsMatchFiniteDifferences) {
  const Case set;
  const auto config = detector(GetParam());
  DetectionLossConfig weights;
  weights.corner_beta = 0.3;
  const auto compute = [&](const Tensor& output, bool scores) {
    const auto loss = detection_loss(output, set.plates.targets, set.plates.lengths, set.anchors,
                                     config, weights);
    return scores ? loss.score : loss.box + loss.distribution + loss.corners;
  };
  for (const bool scores : {true, false}) {
    const auto output = set.output(config, torch::kDouble).requires_grad_();
    compute(output, scores).backward();
    const auto gradient = output.grad();
    const auto others = scores ? gradient.slice(2, 1) : gradient.slice(2, 0, 1);
    EXPECT_EQ(others.abs().max().item<double>(), 0);
    const auto own = scores ? gradient.slice(2, 0, 1) : gradient.slice(2, 1);
    const auto places = own.abs().sum(scores ? 2 : -1).nonzero();  // [P, 2] image, anchor
    ASSERT_GT(places.size(0), 3);
    const torch::NoGradGuard no_grad;
    const double step = 1e-6;
    for (int64_t i = 0; i < places.size(0); i += scores ? 7 : 1) {
      const auto n = places[i][0].item<int64_t>(), a = places[i][1].item<int64_t>();
      for (int64_t k = scores ? 0 : 1; k < (scores ? 1 : output.size(2)); ++k) {
        auto moved = output.detach().clone();
        moved[n][a][k] += step;
        const double above = compute(moved, scores).item<double>();
        moved[n][a][k] -= 2 * step;
        const double slope = (above - compute(moved, scores).item<double>()) / (2 * step);
        EXPECT_NEAR(gradient[n][a][k].item<double>(), slope, 1e-7) << n << " " << a << " " << k;
      }
    }
  }
}

TEST_P(BothRegressions, FrameWithoutPlatesTeachesScoresAlone) {
  const auto anchors = square_anchors(32, {{8, {16}}});
  const auto config = detector(GetParam());
  const auto plates = batch_of({{}});
  const auto output = torch::zeros({1, 16, DetectorOutput(config).size()}, torch::requires_grad());
  const auto loss = detection_loss(output, plates.targets, plates.lengths, anchors, config, {});
  EXPECT_NEAR(loss.score.item<double>(), 16 * 0.25 * std::log(2.0), 1e-5);
  EXPECT_EQ((loss.box + loss.distribution + loss.corners).item<double>(), 0);
  loss.total().backward();
  EXPECT_EQ(output.grad().slice(2, 1).abs().max().item<double>(), 0);
  EXPECT_GT(output.grad().select(2, 0).min().item<double>(), 0);
}

// Every anchor lies in the ignored region.
TEST_P(BothRegressions, IgnoredPlatesTeachNothing) {
  const auto anchors = square_anchors(32, {{8, {16}}});
  const auto config = detector(GetParam());
  const auto plates = batch_of({{plate(0, 0, 32, 32, kIgnoredPlate)}});
  const auto output = torch::randn({1, 16, DetectorOutput(config).size()}, torch::requires_grad());
  const auto loss =
      detection_loss(output, plates.targets, plates.lengths, anchors, config, {}).total();
  EXPECT_EQ(loss.item<double>(), 0);
  loss.backward();
  EXPECT_EQ(output.grad().abs().max().item<double>(), 0);
}

TEST_P(BothRegressions, StaysFiniteAtExtremes) {
  const Case set;
  const auto config = detector(GetParam());
  for (const double size : {-1e4, -50.0, 50.0, 1e4}) {
    auto output = set.output(config, torch::kFloat) * size;
    output = output.detach().requires_grad_();
    const auto loss =
        detection_loss(output, set.plates.targets, set.plates.lengths, set.anchors, config, {});
    loss.total().backward();
    EXPECT_TRUE(loss.total().isfinite().item<bool>()) << size;
    EXPECT_TRUE(output.grad().isfinite().all().item<bool>()) << size;
  }
}

TEST_P(BothRegressions, HalfPrecisionIsComputedInFloat) {
  const Case set;
  const auto config = detector(GetParam());
  const auto half = set.output(config, torch::kFloat).to(torch::kBFloat16).requires_grad_();
  const auto loss = [&](const Tensor& output) {
    return detection_loss(output, set.plates.targets, set.plates.lengths, set.anchors, config, {})
        .total();
  };
  const auto found = loss(half);
  EXPECT_EQ(found.scalar_type(), torch::kFloat);
  EXPECT_NEAR(found.item<double>(), loss(half.detach().to(torch::kFloat)).item<double>(), 1e-5);
  found.backward();
  EXPECT_EQ(half.grad().scalar_type(), torch::kBFloat16);
}

// One anchor at (16, 16), stride 8, equals the plate 8 .. 24. Predicted: left 2 strides, the rest
// 1, so the box 0 .. 24 x 8 .. 24. IoU 256 / 384; centres 4 pixels apart, hull 24 x 16: DIoU = 2/3
// - 16 / 832. Score logit 0: weight 1/2, below the least normaliser of 1; quality (2/3 - 1/2)^2 x
// ln 2. Background: 15 x 1/4 ln 2.
TEST(DetectionLoss, DistancesByHand) {
  const auto anchors = square_anchors(32, {{8, {16}}});
  const auto config = detector("distance");
  const auto plates = batch_of({{plate(8, 8, 24, 24, kBoxOnly)}});
  auto output = torch::zeros({1, 16, DetectorOutput(config).size()});
  output[0][10].slice(0, 1, 5) = torch::tensor({2.F, 1.F, 1.F, 1.F});
  DetectionLossConfig weights;
  weights.box = 3;
  const auto loss =
      detection_loss(output, plates.targets, plates.lengths, anchors, config, weights);
  EXPECT_NEAR(loss.box.item<double>(), 3 * 0.5 * (1 - (2.0 / 3 - 16.0 / 832)), 1e-6);
  EXPECT_NEAR(loss.score.item<double>(), (1.0 / 36 + 15.0 / 4) * std::log(2.0), 1e-6);
  EXPECT_EQ(loss.distribution.item<double>(), 0);
  EXPECT_EQ(loss.corners.item<double>(), 0);
}

// The same plate by distributions over 0 .. 5: all bins equal, so every distance is expected at
// 2.5 strides: the box is 40 x 40 around 16 x 16, GIoU = IoU = 256 / 1600. Each side's
// cross-entropy is ln 6.
TEST(DetectionLoss, DistributionsByHand) {
  const auto anchors = square_anchors(32, {{8, {16}}});
  const auto config = detector("gfl");
  const auto plates = batch_of({{plate(8, 8, 24, 24, kBoxOnly)}});
  const auto output = torch::zeros({1, 16, DetectorOutput(config).size()});
  const DetectionLossConfig weights;
  const auto loss =
      detection_loss(output, plates.targets, plates.lengths, anchors, config, weights);
  EXPECT_NEAR(loss.box.item<double>(), weights.box * 0.5 * (1 - 256.0 / 1600), 1e-6);
  EXPECT_NEAR(loss.distribution.item<double>(), 0.25 * 0.5 * std::log(6.0), 1e-6);
}

// All corners 2 pixels to the right of the truth: a quarter of a stride, an eighth of the plate's
// height of 16. Four coordinates of smooth L1, weight 1/2.
TEST(DetectionLoss, CornersByHandInBothUnits) {
  const auto anchors = square_anchors(32, {{8, {16}}});
  const auto config = detector("distance");
  const Values values = {8, 8, 24, 24, 8, 8, 24, 8, 24, 24, 8, 24, kBoxAndCorners};
  const auto plates = batch_of({{values}});
  auto output = torch::zeros({1, 16, DetectorOutput(config).size()});
  output[0][10].slice(0, 5) = torch::tensor({-0.75F, -1.F, 1.25F, -1.F, 1.25F, 1.F, -0.75F, 1.F});
  DetectionLossConfig weights;
  weights.corners = 1;
  weights.corner_beta = 0.2;
  weights.corner_scale = "stride";
  const auto corners = [&] {
    return detection_loss(output, plates.targets, plates.lengths, anchors, config, weights)
        .corners.item<double>();
  };
  EXPECT_NEAR(corners(), 0.5 * 4 * (0.25 - 0.1), 1e-6);
  weights.corner_scale = "plate";
  EXPECT_NEAR(corners(), 0.5 * 4 * (0.125 * 0.125 / 0.4), 1e-6);
}

// An error of a tenth of the height costs a small and a large plate the same.
TEST(DetectionLoss, CornersOfSmallPlatesMatterEqually) {
  const auto anchors = square_anchors(128, {{8, {16}}, {16, {64}}});
  const auto config = detector("distance");
  std::vector<double> losses;
  for (const float size : {16.F, 64.F}) {
    const float low = 64 - size / 2, high = 64 + size / 2;
    const Values values = {low, low,  high, high, low,  low,           high,
                           low, high, high, low,  high, kBoxAndCorners};
    const auto plates = batch_of({{values}});
    auto output = torch::zeros({1, anchors.centers.size(0), DetectorOutput(config).size()});
    output.select(2, 0).fill_(-20);
    // The anchor that equals the plate is the sure one.
    const int64_t anchor = size < 32 ? 8 * 16 + 8 : 256 + 4 * 8 + 4;
    const float stride = size < 32 ? 8.F : 16.F, half = size / 2 / stride, off = size / 10 / stride;
    output[0][anchor][0] = 20;
    output[0][anchor].slice(0, 5) =
        torch::tensor({-half + off, -half, half + off, -half, half + off, half, -half + off, half});
    losses.push_back(detection_loss(output, plates.targets, plates.lengths, anchors, config, {})
                         .corners.item<double>());
  }
  EXPECT_GT(losses[0], 0.1);
  EXPECT_NEAR(losses[0], losses[1], 1e-4);
}

TEST(DetectionLoss, RefusesShapesThatDoNotFit) {
  const Case set;
  const auto gfl = detector("gfl"), distance = detector("distance");
  const auto output = set.output(gfl, torch::kFloat);
  EXPECT_THROW(
      detection_loss(output, set.plates.targets, set.plates.lengths, set.anchors, distance, {}),
      c10::Error);
  EXPECT_THROW(detection_loss(output, set.plates.targets.slice(2, 1), set.plates.lengths,
                              set.anchors, gfl, {}),
               c10::Error);
}

}  // namespace
}  // namespace plateforge
