#include "models/decode/boxes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/box.h"

namespace plateforge {
namespace {

// Mean of 0 .. bins - 1 under the softmax of `logits`.
float expectation(const float* logits, int64_t bins) {
  const float largest = *std::max_element(logits, logits + bins);
  float sum = 0, weighted = 0;
  for (int64_t i = 0; i < bins; ++i) {
    const float weight = std::exp(logits[i] - largest);
    sum += weight;
    weighted += weight * static_cast<float>(i);
  }
  return weighted / sum;
}

// Where boxes, and corners if wanted, end.
struct Frame {
  float width = 0, height = 0;
  bool clip_corners = false;

  Detection clipped(Detection plate) const {
    plate.box = {x(plate.box[0]), y(plate.box[1]), x(plate.box[2]), y(plate.box[3])};
    if (clip_corners)
      for (Point& point : plate.corners) point = {x(point.x), y(point.y)};
    return plate;
  }

 private:
  float x(float value) const { return std::clamp(value, 0.F, width); }
  float y(float value) const { return std::clamp(value, 0.F, height); }
};

// The input that anchors cover: the last location of a level lies one stride before its end.
Frame frame_of(const Anchors& anchors, bool clip_corners) {
  const int64_t last = anchors.level_sizes.front() - 1;
  const float stride = anchors.strides[last].item<float>();
  return {.width = anchors.centers[last][0].item<float>() + stride,
          .height = anchors.centers[last][1].item<float>() + stride,
          .clip_corners = clip_corners};
}

// Decodes rows of one image.
class RowDecoder {
 public:
  RowDecoder(const Anchors& anchors, const DetectorConfig& config)
      : layout_(config),
        centers_(anchors.centers.contiguous()),
        strides_(anchors.strides.contiguous()),
        center_(centers_.const_data_ptr<float>()),
        stride_(strides_.const_data_ptr<float>()) {}

  Detection operator()(const float* row, int64_t anchor) const {
    const float x = center_[2 * anchor], y = center_[2 * anchor + 1], stride = stride_[anchor];
    Detection detection;
    detection.score = 1 / (1 + std::exp(-row[0]));
    detection.box = {x - distance(row, 0) * stride, y - distance(row, 1) * stride,
                     x + distance(row, 2) * stride, y + distance(row, 3) * stride};
    const float* corner = row + layout_.corners();
    for (Point& point : detection.corners) {
      point = {x + corner[0] * stride, y + corner[1] * stride};
      corner += 2;
    }
    return detection;
  }

 private:
  float distance(const float* row, int64_t side) const {
    const float* value = row + layout_.box() + side * layout_.bins;
    return layout_.bins == 1 ? *value : expectation(value, layout_.bins);
  }

  DetectorOutput layout_;
  torch::Tensor centers_, strides_;
  const float *center_, *stride_;
};

Detection decoded_row(const float* row) {
  Detection detection{.score = row[0], .box = {row[1], row[2], row[3], row[4]}, .corners = {}};
  for (size_t i = 0; i < 4; ++i) detection.corners[i] = {row[5 + 2 * i], row[6 + 2 * i]};
  return detection;
}

// Indices of the rows whose logit is at least `least`, best first, at most `most`.
std::vector<int64_t> best_rows(const float* rows, int64_t count, int64_t width, float least,
                               int64_t most) {
  std::vector<int64_t> found;
  for (int64_t a = 0; a < count; ++a)
    if (rows[a * width] >= least) found.push_back(a);
  const auto better = [&](int64_t a, int64_t b) {
    const float one = rows[a * width], other = rows[b * width];
    return one != other ? one > other : a < b;
  };
  const auto kept = std::min(found.size(), static_cast<size_t>(most));
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(kept), found.end(),
                    better);
  found.resize(kept);
  return found;
}

// What is left of a score beside a better detection with this IoU.
double factor(double overlap, const DetectOptions& options) {
  switch (options.nms) {
    case Nms::kSoftLinear:
      return overlap > options.iou ? 1 - overlap : 1;
    case Nms::kSoftGaussian:
      return std::exp(-overlap * overlap / options.sigma);
    case Nms::kPlain:
      break;
  }
  return overlap > options.iou ? 0 : 1;
}

bool has_area(const Box& box) { return box[2] > box[0] && box[3] > box[1]; }

}  // namespace

std::vector<Detection> suppress(std::vector<Detection> detections, const DetectOptions& options) {
  const auto better = [](const Detection& a, const Detection& b) { return a.score > b.score; };
  std::stable_sort(detections.begin(), detections.end(), better);
  std::vector<Detection> kept;
  while (!detections.empty() && kept.size() < static_cast<size_t>(options.max_detections)) {
    const Detection best = detections.front();
    kept.push_back(best);
    std::vector<Detection> rest;
    for (size_t i = 1; i < detections.size(); ++i) {
      Detection& other = detections[i];
      const double left = factor(iou(best.box, other.box), options);
      other.score *= static_cast<float>(left);
      const bool stays = left == 1 || other.score >= static_cast<float>(options.score);
      if (left > 0 && stays) rest.push_back(other);
    }
    if (options.nms != Nms::kPlain) std::stable_sort(rest.begin(), rest.end(), better);
    detections = std::move(rest);
  }
  return kept;
}

torch::Tensor decode_distances(const torch::Tensor& scores, const torch::Tensor& sides,
                               const torch::Tensor& corners, const Anchors& anchors) {
  const auto strides = anchors.strides.to(scores.device()).reshape({1, -1, 1});
  const auto centers = anchors.centers.to(scores.device()).unsqueeze(0);  // [1, A, 2]
  const auto outwards = torch::tensor({-1.F, -1.F, 1.F, 1.F}, scores.device());
  const auto boxes = sides * strides * outwards + centers.repeat({1, 1, 2});
  return torch::cat({scores, boxes, corners * strides + centers.repeat({1, 1, 4})}, 2);
}

torch::Tensor decode_rows(const torch::Tensor& output, const Anchors& anchors,
                          const DetectorConfig& config) {
  const DetectorOutput layout(config);
  const auto rows = output.to(torch::kFloat);
  auto sides = rows.slice(2, layout.box(), layout.corners());
  if (layout.bins > 1) {
    const auto shares = sides.reshape({rows.size(0), -1, 4, layout.bins}).softmax(3);
    sides = (shares * torch::arange(layout.bins, rows.options())).sum(3);
  }
  return decode_distances(rows.slice(2, 0, 1).sigmoid(), sides, rows.slice(2, layout.corners()),
                          anchors);
}

namespace {

// Of [N, A, width] on the host: the plates that decode(row, anchor) makes of the rows whose first
// value is at least `least`.
template <class Decode>
std::vector<std::vector<Detection>> pick(const torch::Tensor& host, float least, const Frame& frame,
                                         const DetectOptions& options, const Decode& decode) {
  const int64_t count = host.size(1), width = host.size(2);
  std::vector<std::vector<Detection>> images;
  for (int64_t n = 0; n < host.size(0); ++n) {
    const float* rows = host.const_data_ptr<float>() + n * count * width;
    std::vector<Detection> candidates;
    for (const int64_t a : best_rows(rows, count, width, least, options.max_candidates)) {
      const Detection detection = frame.clipped(decode(rows + a * width, a));
      if (has_area(detection.box)) candidates.push_back(detection);
    }
    images.push_back(suppress(std::move(candidates), options));
  }
  return images;
}

torch::Tensor on_host(const torch::Tensor& values) {
  return values.detach().to(torch::kCPU, torch::kFloat).contiguous();
}

}  // namespace

std::vector<std::vector<Detection>> decode_detections(const torch::Tensor& output,
                                                      const Anchors& anchors,
                                                      const DetectorConfig& config,
                                                      const DetectOptions& options) {
  const int64_t count = anchors.centers.size(0), width = DetectorOutput(config).size();
  TORCH_CHECK(output.dim() == 3 && output.size(1) == count && output.size(2) == width,
              "a detector's output must be [N, ", count, ", ", width, "], got ", output.sizes());
  // log(p / (1 - p)): -inf at 0 and +inf at 1.
  const auto least = static_cast<float>(std::log(options.score) - std::log1p(-options.score));
  return pick(on_host(output), least, frame_of(anchors, options.clip_corners), options,
              RowDecoder(anchors, config));
}

std::vector<std::vector<Detection>> pick_detections(const torch::Tensor& decoded, float width,
                                                    float height, const DetectOptions& options) {
  TORCH_CHECK(decoded.dim() == 3 && decoded.size(2) == kDecodedValues,
              "decoded plates must be [N, A, ", kDecodedValues, "], got ", decoded.sizes());
  return pick(on_host(decoded), static_cast<float>(options.score),
              {.width = width, .height = height, .clip_corners = options.clip_corners}, options,
              [](const float* row, int64_t) { return decoded_row(row); });
}

}  // namespace plateforge
