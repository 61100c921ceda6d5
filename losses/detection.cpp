#include "losses/detection.h"

#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/batch.h"
#include "losses/atss.h"

namespace plateforge {
namespace {

using torch::Tensor;

// N images, A anchors each, K values of an anchor, P positive anchors, R bins of a distance.

constexpr int64_t kWantedValues = 13;    // four distances, corners minus centre (8), corner unit
constexpr double kSmallestHeight = 0.5;  // of a plate, in strides, for the corners' unit
constexpr double kTiny = 1e-9;           // keeps boxes without area from dividing by zero

// What the anchors should say, in strides, gathered on the host.
struct Wanted {
  std::vector<int64_t> positive, ignored;  // rows of [N * A, K]
  std::vector<float> values;               // [P, kWantedValues]
};

PlateKnowledge knowledge(const float* plate) {
  return static_cast<PlateKnowledge>(static_cast<int>(plate[kPlateValues - 1]));
}

// How far the plate's corners stand apart vertically: mean of its left and right side, pixels.
float height_of(const float* corners) {
  const float left = std::hypot(corners[6] - corners[0], corners[7] - corners[1]);
  const float right = std::hypot(corners[4] - corners[2], corners[5] - corners[3]);
  return 0.5F * (left + right);
}

void add_positive(const float* plate, const float* center, float stride, bool per_plate,
                  std::vector<float>& values) {
  const float x = center[0], y = center[1];
  for (const float side : {x - plate[0], y - plate[1], plate[2] - x, plate[3] - y})
    values.push_back(side / stride);
  const float* corners = plate + 4;
  const bool known = knowledge(plate) == kBoxAndCorners;
  for (int64_t i = 0; i < 8; ++i)
    values.push_back(known ? (corners[i] - (i % 2 == 0 ? x : y)) / stride : 0);
  const float height = std::max(height_of(corners) / stride, static_cast<float>(kSmallestHeight));
  values.push_back(!known ? 0 : per_plate ? 1 / height : 1);
}

Wanted assign(const Tensor& targets, const Tensor& lengths, const Anchors& anchors,
              const DetectionLossConfig& config) {
  const AtssOptions options{.candidates = config.atss_candidates, .inside = config.atss_inside};
  const auto plates = targets.detach().to(torch::kCPU, torch::kFloat).contiguous();  // [N, M, 13]
  const auto counts = lengths.to(torch::kCPU, torch::kLong).contiguous();
  const auto centers = anchors.centers.contiguous(), strides = anchors.strides.contiguous();
  const auto* center = centers.const_data_ptr<float>();
  const auto* stride = strides.const_data_ptr<float>();
  const int64_t size = anchors.centers.size(0);
  Wanted wanted;
  for (int64_t n = 0; n < plates.size(0); ++n) {
    const auto* first = plates.const_data_ptr<float>() + n * plates.size(1) * kPlateValues;
    std::vector<PlateBox> boxes;
    for (int64_t m = 0; m < counts.const_data_ptr<int64_t>()[n]; ++m) {
      const float* plate = first + m * kPlateValues;
      boxes.push_back({.box = {plate[0], plate[1], plate[2], plate[3]},
                       .ignore = knowledge(plate) == kIgnoredPlate});
    }
    const auto plate_of = assign_atss(anchors, boxes, options);
    for (int64_t a = 0; a < size; ++a) {
      const int64_t m = plate_of[static_cast<size_t>(a)];
      if (m == kBackground) continue;
      if (m == kIgnoredAnchor) {
        wanted.ignored.push_back(n * size + a);
        continue;
      }
      wanted.positive.push_back(n * size + a);
      add_positive(first + m * kPlateValues, center + 2 * a, stride[a],
                   config.corner_scale == "plate", wanted.values);
    }
  }
  return wanted;
}

// Score logits [N * A] and the positive anchors' whole rows [P, K] of an output. Autograd alone
// would fill one gradient of the size of the output for each and add them up.
class TakeScoresAndRows : public torch::autograd::Function<TakeScoresAndRows> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const Tensor& output, const Tensor& positive) {
    context->save_for_backward({positive});
    context->saved_data["sizes"] = output.sizes().vec();
    const auto flat = output.reshape({-1, output.size(2)});
    return {flat.select(1, 0).clone(), flat.index_select(0, positive)};
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto sizes = context->saved_data["sizes"].toIntVector();
    auto all = torch::zeros({sizes[0] * sizes[1], sizes[2]}, gradients[0].options());
    all.select(1, 0).copy_(gradients[0]);
    all.index_add_(0, context->get_saved_variables()[0], gradients[1]);
    return {all.view(sizes), Tensor()};
  }
};

// Boxes are four distances [P, 4] from a common point to left, top, right, bottom: any unit.
Tensor extents(const Tensor& distances) {  // [P, 2] width, height; a box turned inside out has none
  return (distances.slice(1, 0, 2) + distances.slice(1, 2, 4)).clamp_min(0);
}

Tensor product(const Tensor& sides) { return sides.select(1, 0) * sides.select(1, 1); }

struct Overlap {
  Tensor iou, giou, diou;  // [P]
};

Overlap overlap_of(const Tensor& boxes, const Tensor& wanted, bool distance) {
  const auto both = product(extents(torch::min(boxes, wanted)));
  const auto either = product(extents(boxes)) + product(extents(wanted)) - both;
  const auto around = extents(torch::max(boxes, wanted));  // the smallest box that holds both
  Overlap overlap{.iou = both / either.clamp_min(kTiny), .giou = {}, .diou = {}};
  if (distance) {
    const auto off = boxes - wanted;  // twice the centres' difference is right - left, bottom - top
    const auto apart = (off.slice(1, 2, 4) - off.slice(1, 0, 2)).square().sum(1) / 4;
    overlap.diou = overlap.iou - apart / around.square().sum(1).clamp_min(kTiny);
  } else {
    const auto hull = product(around).clamp_min(kTiny);
    overlap.giou = overlap.iou - (hull - either) / hull;
  }
  return overlap;
}

// Cross-entropy of each distance's distribution with its two neighbouring bins. log_probs [P, 4,
// R], wanted [P, 4]; mean over the sides: [P].
Tensor distribution_loss(const Tensor& log_probs, const Tensor& wanted) {
  const auto last = static_cast<double>(log_probs.size(2) - 1);
  const auto target = wanted.clamp(0, last - 0.1);
  const auto low = target.floor();
  const auto index = low.to(torch::kLong).unsqueeze(2);
  const auto at_low = log_probs.gather(2, index).squeeze(2);
  const auto at_high = log_probs.gather(2, index + 1).squeeze(2);
  return -((low + 1 - target) * at_low + (target - low) * at_high).mean(1);
}

// logits [N * A]; wanted [N * A] in 0..1. Sum over the anchors that are not ignored.
Tensor quality_focal_loss(const Tensor& logits, const Tensor& wanted,
                          const std::vector<int64_t>& ignored, double beta) {
  const auto off = logits.sigmoid() - wanted;
  const auto scale = beta == 2 ? off.square() : off.abs().pow(beta);
  const auto entropy =
      torch::binary_cross_entropy_with_logits(logits, wanted, {}, {}, at::Reduction::None);
  auto loss = scale * entropy;
  if (!ignored.empty()) loss = loss.index_fill(0, torch::tensor(ignored).to(logits.device()), 0);
  return loss.sum();
}

}  // namespace

DetectionLoss detection_loss(const Tensor& output, const Tensor& targets,
                             const Tensor& target_lengths, const Anchors& anchors,
                             const DetectorConfig& detector, const DetectionLossConfig& config) {
  const DetectorOutput layout(detector);
  const int64_t size = anchors.centers.size(0);
  TORCH_CHECK(output.dim() == 3 && output.size(1) == size && output.size(2) == layout.size(),
              "a detector's output must be [N, ", size, ", ", layout.size(), "], got ",
              output.sizes());
  TORCH_CHECK(
      targets.dim() == 3 && targets.size(0) == output.size(0) && targets.size(2) == kPlateValues,
      "a detector's targets must be [", output.size(0), ", M, ", kPlateValues, "], got ",
      targets.sizes());
  const auto wanted = assign(targets, target_lengths, anchors, config);
  const auto type = output.scalar_type() == torch::kDouble ? torch::kDouble : torch::kFloat;
  const auto count = static_cast<int64_t>(wanted.positive.size());
  const auto values = torch::tensor(wanted.values, torch::kFloat)
                          .view({count, kWantedValues})
                          .to(output.device(), type);  // [P, 13]
  const auto positive = torch::tensor(wanted.positive, torch::kLong).to(output.device());
  const auto taken = TakeScoresAndRows::apply(output, positive);
  const auto scores = taken[0].to(type), rows = taken[1].to(type);  // [N * A], [P, K]

  const auto weights = rows.select(1, 0).detach().sigmoid();  // [P]
  const auto total = weights.sum().clamp_min(1);
  const auto weighted = [&](double weight, const Tensor& loss) {
    return weight * (loss * weights).sum() / total;
  };

  const bool distance = detector.regression == "distance";
  auto sides = rows.slice(1, layout.box(), layout.corners());  // [P, 4 R]
  const auto wanted_sides = values.slice(1, 0, 4);
  DetectionLoss loss;
  loss.distribution = torch::zeros({}, rows.options());
  if (!distance) {
    const auto log_probs = sides.reshape({count, 4, layout.bins}).log_softmax(2);
    const auto bins = torch::arange(layout.bins, rows.options());
    sides = (log_probs.exp() * bins).sum(2);  // [P, 4]
    loss.distribution = weighted(config.distribution, distribution_loss(log_probs, wanted_sides));
  }
  const auto overlap = overlap_of(sides, wanted_sides, distance);
  loss.box = weighted(config.box, 1 - (distance ? overlap.diou : overlap.giou));

  const auto unit = values.slice(1, 12, 13);  // 0 where the corners are not known
  const auto off =
      torch::smooth_l1_loss(rows.slice(1, layout.corners()) * unit, values.slice(1, 4, 12) * unit,
                            at::Reduction::None, config.corner_beta);
  loss.corners = weighted(config.corners, off.sum(1));

  const auto quality =
      torch::zeros_like(scores).index_copy_(0, positive, overlap.iou.detach());  // [N * A]
  loss.score = quality_focal_loss(scores, quality, wanted.ignored, config.quality_beta) /
               std::max<double>(1, static_cast<double>(count));
  return loss;
}

}  // namespace plateforge
