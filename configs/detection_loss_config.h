#pragma once

#include <cstdint>
#include <string>

#include "configs/visit.h"

namespace plateforge {

// What a detector's loss weighs, and which anchors answer for a plate.
struct DetectionLossConfig {
  double box = 2;
  double distribution = 0.25;
  double corners = 1;
  std::string corner_scale = "plate";
  double corner_beta = 0.05;
  double quality_beta = 2;
  int64_t atss_candidates = 9;
  double atss_inside = 0.001;

  template <class V>
  void visit(V& v) {
    v("box", box, "weight of the boxes' GIoU (gfl) or DIoU (distance) beside the scores'",
      in_range(0.0, 1000.0));
    v("distribution", distribution, "weight of the distribution focal loss of gfl",
      in_range(0.0, 1000.0));
    v("corners", corners, "weight of the four corners", in_range(0.0, 1000.0));
    v("corner_scale", corner_scale,
      "unit of a corner's error: the plate's height, or the stride of the anchor's level as SCRFD "
      "has it",
      one_of({"plate", "stride"}));
    v("corner_beta", corner_beta,
      "corner errors below this are squared, in that unit; SCRFD: 0.111 strides",
      in_range(1e-4, 10.0));
    v("quality_beta", quality_beta, "exponent of the quality focal loss", in_range(1.0, 5.0));
    v("atss_candidates", atss_candidates,
      "nearest anchors of each level that may answer for a plate", in_range(1, 1000));
    v("atss_inside", atss_inside,
      "how far inside the box a positive anchor's centre lies, in square roots of the box's area",
      in_range(-1.0, 0.5));
  }
};

}  // namespace plateforge
