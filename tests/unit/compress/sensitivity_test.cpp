#include "compress/prune/sensitivity.h"

#include <gtest/gtest.h>

#include <fstream>

#include "compress/prune/sensitivity_scan.h"
#include "configs/error.h"
#include "tests/support/small_nets.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

TEST(Isotonic, PoolsWhatFalls) {
  EXPECT_EQ(isotonic({1, 3, 2, 4}), (std::vector<double>{1, 2.5, 2.5, 4}));
  EXPECT_EQ(isotonic({3, 2, 1}), (std::vector<double>{2, 2, 2}));
  EXPECT_TRUE(isotonic({}).empty());
}

// Per 100 weights the first layer costs 1 up to a half, then 9; the second 2, then 4.
const std::vector<LayerCurve> kCurves = {
    {.layer = "a", .weights = 200, .ratios = {0.5, 1.0}, .increases = {1, 10}},
    {.layer = "b", .weights = 200, .ratios = {0.5, 1.0}, .increases = {2, 6}}};

TEST(AllocateByCurves, TakesTheCheapestWeightsFirst) {
  EXPECT_EQ(allocate_by_curves(kCurves, 0.25), (Ratios{0.5, 0}));
  EXPECT_EQ(allocate_by_curves(kCurves, 0.5), (Ratios{0.5, 0.5}));
  EXPECT_EQ(allocate_by_curves(kCurves, 0.625), (Ratios{0.5, 0.75}));
  EXPECT_DOUBLE_EQ(predicted_increase(kCurves, {0.5, 0.75}), 1 + 2 + 2);
}

TEST(AllocateByCurves, ALateCheapPieceIsNotTakenBeforeTheDearOne) {
  // Dear first half, free second half: only the whole is worth it, at 5 per 100 weights.
  const std::vector<LayerCurve> curves = {
      {.layer = "a", .weights = 200, .ratios = {0.5, 1.0}, .increases = {10, 10}},
      {.layer = "b", .weights = 200, .ratios = {0.5, 1.0}, .increases = {2, 14}}};
  EXPECT_EQ(allocate_by_curves(curves, 0.25), (Ratios{0, 0.5}));
  EXPECT_EQ(allocate_by_curves(curves, 0.75), (Ratios{1, 0.5}));
}

TEST(AllocateByCurves, NoLayerGoesBeyondWhatWasMeasured) {
  const std::vector<LayerCurve> curves = {
      {.layer = "a", .weights = 100, .ratios = {0.6}, .increases = {-0.1}}};
  EXPECT_DOUBLE_EQ(allocate_by_curves(curves, 0.6)[0], 0.6);
  EXPECT_THROW(allocate_by_curves(curves, 0.7), Error);
}

struct Scan {
  PlainCnn network{8};
  std::vector<PrunableLayer> layers = prunable_layers(network, {1, 3, 12, 20});
  int64_t tried = 0;
  // Loss is one plus the sum of the ratios, the last layer weighing ten.
  TryRatios try_ratios = [this](const Ratios& ratios) {
    ++tried;
    return Quality{1 + ratios[0] + ratios[1] + 10 * ratios[2], 1};
  };
};

TEST(SensitivityScan, MeasuresEachLayerAlone) {
  Scan scan;
  const auto curves = scan_sensitivity(scan.layers, {0, 2}, scan.try_ratios, {});
  ASSERT_EQ(curves.size(), 2U);
  EXPECT_EQ(curves[1].layer, "head");
  for (size_t i = 0; i < curves[0].ratios.size(); ++i) {
    EXPECT_NEAR(curves[0].increases[i], curves[0].ratios[i], 1e-12);
    EXPECT_NEAR(curves[1].increases[i], 10 * curves[0].ratios[i], 1e-12);
  }
}

TEST(SensitivityScan, GoesOnWhereItWasCut) {
  const TempFolder folder;
  const ScanFile file{folder.path() / "scan.json", "key"};
  Scan whole;
  const auto expected = scan_sensitivity(whole.layers, {0, 1, 2}, whole.try_ratios, {});
  Scan cut;
  EXPECT_ANY_THROW(scan_sensitivity(
      cut.layers, {0, 1, 2},
      [&](const Ratios& ratios) {
        if (cut.tried == 9) throw std::runtime_error("killed");
        return cut.try_ratios(ratios);
      },
      file));
  Scan rest;
  const auto resumed = scan_sensitivity(rest.layers, {0, 1, 2}, rest.try_ratios, file);
  EXPECT_EQ(rest.tried, whole.tried - 9);
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(resumed[i].increases, expected[i].increases);
  Scan other;
  scan_sensitivity(other.layers, {0, 1, 2}, other.try_ratios, {file.path, "another key"});
  EXPECT_EQ(other.tried, whole.tried);
  std::ofstream(file.path) << "{ broken";
  Scan anew;
  scan_sensitivity(anew.layers, {0, 1, 2}, anew.try_ratios, file);
  EXPECT_EQ(anew.tried, whole.tried);
}

// Together the second layer hurts far more than alone: the correction moves zeros to the first.
TEST(SensitivityScan, JointMeasurementsCorrectTheCurves) {
  std::vector<LayerCurve> curves = {
      {.layer = "a", .weights = 100, .ratios = {0.5, 0.9}, .increases = {1, 3}},
      {.layer = "b", .weights = 100, .ratios = {0.5, 0.9}, .increases = {0.5, 1.5}}};
  const TryRatios together = [](const Ratios& ratios) {
    return Quality{2 * ratios[0] + 6 * ratios[1], 1};
  };
  const auto same = [](const Ratios& ratios) { return ratios; };
  const auto before = allocate_by_curves(curves, 0.25);
  correct_jointly(curves, 0.25, 2, together, same);
  const auto after = allocate_by_curves(curves, 0.25);
  EXPECT_LT(after[1], before[1]);
  EXPECT_LT(together(after).loss, together(before).loss);
}

}  // namespace
}  // namespace plateforge
