#pragma once

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "configs/detection_loss_config.h"
#include "data/batch.h"
#include "losses/atss.h"
#include "models/detector.h"

namespace plateforge {

struct Plates {
  torch::Tensor targets, lengths;
};

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// IoU and GIoU or DIoU of two boxes.
inline std::pair<double, double> overlaps(const std::array<double, 4>& a,
                                          const std::array<double, 4>& b, bool diou) {
  const auto span = [](double low, double high) { return std::max(0.0, high - low); };
  const auto area = [&](const auto& x) { return span(x[0], x[2]) * span(x[1], x[3]); };
  const double both = span(std::max(a[0], b[0]), std::min(a[2], b[2])) *
                      span(std::max(a[1], b[1]), std::min(a[3], b[3]));
  const double either = area(a) + area(b) - both, iou = both / either;
  const double width = std::max(a[2], b[2]) - std::min(a[0], b[0]);
  const double height = std::max(a[3], b[3]) - std::min(a[1], b[1]);
  if (!diou) return {iou, iou - (width * height - either) / (width * height)};
  const double dx = (a[0] + a[2] - b[0] - b[2]) / 2, dy = (a[1] + a[3] - b[1] - b[3]) / 2;
  return {iou, iou - (dx * dx + dy * dy) / (width * width + height * height)};
}

// The loss, anchor by anchor, as the papers write it.
class Reference {
 public:
  Reference(const DetectorConfig& detector, const DetectionLossConfig& config)
      : layout_(detector), distance_(detector.regression == "distance"), config_(config) {}

  std::array<double, 4> operator()(const torch::Tensor& output, const Plates& plates,
                                   const Anchors& anchors) {
    for (int64_t n = 0; n < output.size(0); ++n) {
      std::vector<PlateBox> boxes;
      for (int64_t m = 0; m < plates.lengths[n].item<int64_t>(); ++m) {
        const auto p = plates.targets[n][m];
        boxes.push_back(
            {{p[0].item<float>(), p[1].item<float>(), p[2].item<float>(), p[3].item<float>()},
             p[12].item<float>() == 0});
      }
      const auto plate_of = assign_atss(anchors, boxes);
      for (int64_t a = 0; a < output.size(1); ++a) {
        const int64_t m = plate_of[static_cast<size_t>(a)];
        if (m == kIgnoredAnchor) continue;
        if (m < 0) {
          add_score(output[n][a][0].item<double>(), 0);
        } else {
          add_positive(output[n][a], plates.targets[n][m], anchors, a);
        }
      }
    }
    const double total = std::max(1.0, weight_);
    return {score_ / std::max(1.0, positives_), config_.box * box_ / total,
            config_.distribution * distribution_ / total, config_.corners * corners_ / total};
  }

 private:
  void add_score(double logit, double wanted) {
    const double p = sigmoid(logit);
    score_ += std::pow(std::abs(wanted - p), config_.quality_beta) *
              -(wanted * std::log(p) + (1 - wanted) * std::log(1 - p));
  }

  void add_positive(const torch::Tensor& row, const torch::Tensor& plate, const Anchors& anchors,
                    int64_t a) {
    const double x = anchors.centers[a][0].item<double>(), y = anchors.centers[a][1].item<double>();
    const double stride = anchors.strides[a].item<double>();
    const auto value = [&](int64_t i) { return plate[i].item<double>(); };
    const double weight = sigmoid(row[0].item<double>());
    std::array<double, 4> sides{};
    const std::array<double, 4> wanted = {(x - value(0)) / stride, (y - value(1)) / stride,
                                          (value(2) - x) / stride, (value(3) - y) / stride};
    for (int64_t side = 0; side < 4; ++side) {
      const auto index = static_cast<size_t>(side);
      if (distance_) {
        sides[index] = row[1 + side].item<double>();
        continue;
      }
      const auto p =
          row.slice(0, 1 + side * layout_.bins, 1 + (side + 1) * layout_.bins).softmax(0);
      for (int64_t i = 0; i < layout_.bins; ++i)
        sides[index] += static_cast<double>(i) * p[i].item<double>();
      const double target =
          std::min(std::max(wanted[index], 0.0), static_cast<double>(layout_.bins) - 1.1);
      const auto low = static_cast<int64_t>(target);
      const double share = target - static_cast<double>(low);
      distribution_ -= weight / 4 *
                       ((1 - share) * std::log(p[low].item<double>()) +
                        share * std::log(p[low + 1].item<double>()));
    }
    const std::array<double, 4> box = {x - sides[0] * stride, y - sides[1] * stride,
                                       x + sides[2] * stride, y + sides[3] * stride};
    const auto [iou, better] = overlaps(box, {value(0), value(1), value(2), value(3)}, distance_);
    box_ += weight * (1 - better);
    add_score(row[0].item<double>(), iou);
    weight_ += weight;
    ++positives_;
    if (value(12) != static_cast<double>(kBoxAndCorners)) return;
    const double height = (std::hypot(value(10) - value(4), value(11) - value(5)) +
                           std::hypot(value(8) - value(6), value(9) - value(7))) /
                          2;
    const double unit = config_.corner_scale == "stride" ? stride : std::max(height, stride / 2);
    for (int64_t i = 0; i < 8; ++i) {
      const double found = (i % 2 ? y : x) + row[layout_.corners() + i].item<double>() * stride;
      const double off = std::abs(found - value(4 + i)) / unit, beta = config_.corner_beta;
      corners_ += weight * (off < beta ? off * off / (2 * beta) : off - beta / 2);
    }
  }

  DetectorOutput layout_;
  bool distance_;
  DetectionLossConfig config_;
  double score_ = 0, box_ = 0, distribution_ = 0, corners_ = 0, weight_ = 0, positives_ = 0;
};

}  // namespace plateforge
