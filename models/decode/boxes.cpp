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

// Decodes rows of one image.
class RowDecoder {
 public:
  RowDecoder(const Anchors& anchors, const DetectorConfig& config, bool clip_corners)
      : layout_(config),
        clip_corners_(clip_corners),
        centers_(anchors.centers.contiguous()),
        strides_(anchors.strides.contiguous()),
        center_(centers_.const_data_ptr<float>()),
        stride_(strides_.const_data_ptr<float>()) {
    // The last location of a level lies one stride before the input's end.
    const int64_t last = anchors.level_sizes.front() - 1;
    width_ = center_[2 * last] + stride_[last];
    height_ = center_[2 * last + 1] + stride_[last];
  }

  Detection operator()(const float* row, int64_t anchor) const {
    const float x = center_[2 * anchor], y = center_[2 * anchor + 1], stride = stride_[anchor];
    Detection detection;
    detection.score = 1 / (1 + std::exp(-row[0]));
    detection.box = {clip_x(x - distance(row, 0) * stride), clip_y(y - distance(row, 1) * stride),
                     clip_x(x + distance(row, 2) * stride), clip_y(y + distance(row, 3) * stride)};
    const float* corner = row + layout_.corners();
    for (Point& point : detection.corners) {
      point = {x + corner[0] * stride, y + corner[1] * stride};
      if (clip_corners_) point = {clip_x(point.x), clip_y(point.y)};
      corner += 2;
    }
    return detection;
  }

 private:
  float distance(const float* row, int64_t side) const {
    const float* value = row + layout_.box() + side * layout_.bins;
    return layout_.bins == 1 ? *value : expectation(value, layout_.bins);
  }
  float clip_x(float x) const { return std::clamp(x, 0.F, width_); }
  float clip_y(float y) const { return std::clamp(y, 0.F, height_); }

  DetectorOutput layout_;
  bool clip_corners_;
  torch::Tensor centers_, strides_;
  const float *center_, *stride_;
  float width_ = 0, height_ = 0;
};

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

std::vector<std::vector<Detection>> decode_detections(const torch::Tensor& output,
                                                      const Anchors& anchors,
                                                      const DetectorConfig& config,
                                                      const DetectOptions& options) {
  const int64_t count = anchors.centers.size(0), width = DetectorOutput(config).size();
  TORCH_CHECK(output.dim() == 3 && output.size(1) == count && output.size(2) == width,
              "a detector's output must be [N, ", count, ", ", width, "], got ", output.sizes());
  const auto host = output.detach().to(torch::kCPU, torch::kFloat).contiguous();
  const RowDecoder decode(anchors, config, options.clip_corners);
  // log(p / (1 - p)): -inf at 0 and +inf at 1.
  const auto least = static_cast<float>(std::log(options.score) - std::log1p(-options.score));
  std::vector<std::vector<Detection>> images;
  for (int64_t n = 0; n < host.size(0); ++n) {
    const float* rows = host.const_data_ptr<float>() + n * count * width;
    std::vector<Detection> candidates;
    for (const int64_t a : best_rows(rows, count, width, least, options.max_candidates)) {
      const Detection detection = decode(rows + a * width, a);
      if (has_area(detection.box)) candidates.push_back(detection);
    }
    images.push_back(suppress(std::move(candidates), options));
  }
  return images;
}

}  // namespace plateforge
