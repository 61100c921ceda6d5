#include "models/detector.h"

#include <cmath>

#include "configs/error.h"

namespace plateforge {
namespace {

using torch::Tensor;

// [rows * columns, 2]: x, y of each location, row by row.
Tensor grid(int64_t rows, int64_t columns, double stride) {
  const auto along = [&](int64_t count) { return torch::arange(count, torch::kFloat) * stride; };
  const auto y = along(rows).reshape({rows, 1}).expand({rows, columns});
  const auto x = along(columns).expand({rows, columns});
  return torch::stack({x, y}, 2).reshape({-1, 2});
}

// [scales, 4]: boxes of one location's anchors around (0, 0).
Tensor shapes(const DetectorConfig& config, int64_t size) {
  const auto scales =
      torch::tensor(config.anchor_scales, torch::kDouble) * (0.5 * static_cast<double>(size));
  const auto width = scales * std::sqrt(config.anchor_ratio);
  const auto height = scales / std::sqrt(config.anchor_ratio);
  return torch::stack({-width, -height, width, height}, 1).to(torch::kFloat);
}

}  // namespace

void check_levels(const DetectorConfig& config) {
  const auto& strides = config.strides;
  require(strides.size() >= 2, "model.detector.strides has ", strides.size(),
          " levels; expected at least two");
  for (size_t i = 1; i < strides.size(); ++i)
    require(strides[i] == 2 * strides[i - 1], "model.detector.strides: ", strides[i],
            " is not twice ", strides[i - 1]);
  require(config.anchor_sizes.size() == strides.size(), "model.detector.anchor_sizes has ",
          config.anchor_sizes.size(), " values; expected one for each of the ", strides.size(),
          " strides");
}

Anchors make_anchors(const DetectorConfig& config, int64_t height, int64_t width) {
  check_levels(config);
  const auto per_location = static_cast<int64_t>(config.anchor_scales.size());
  Anchors anchors;
  std::vector<Tensor> centers, boxes, strides;
  for (size_t i = 0; i < config.strides.size(); ++i) {
    const auto stride = config.strides[i];
    const auto along = [&](int64_t extent) { return (extent + stride - 1) / stride; };
    const auto places = grid(along(height), along(width), static_cast<double>(stride));
    const auto count = places.size(0) * per_location;
    const auto own = places.repeat_interleave(per_location, 0);
    centers.push_back(own);
    boxes.push_back(own.repeat({1, 2}) +
                    shapes(config, config.anchor_sizes[i]).repeat({places.size(0), 1}));
    strides.push_back(torch::full({count}, static_cast<float>(stride)));
    anchors.level_sizes.push_back(count);
  }
  anchors.centers = torch::cat(centers);
  anchors.boxes = torch::cat(boxes);
  anchors.strides = torch::cat(strides);
  return anchors;
}

}  // namespace plateforge
