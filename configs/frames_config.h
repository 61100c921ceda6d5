#pragma once

#include <cstdint>
#include <vector>

#include "configs/visit.h"

namespace plateforge {

// How a photograph becomes a detector's training input: a random square of it (SCRFD,
// arXiv 2105.04714), turned and tilted in the same resampling. Photometric ops are `augment`'s.
struct FramesConfig {
  int64_t size = 0;
  std::vector<double> crop_scales = {0.3, 0.45, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0};
  double rotate = 10;
  double perspective = 0.04;
  bool flip = false;
  double mosaic = 0;
  double min_plate = 20;
  double max_plate = 0.8;
  double min_visible = 0.6;

  template <class V>
  void visit(V& v) {
    v("size", size,
      "side of a training input, pixels; 0 = that of the network's input, whose scale smaller "
      "squares keep",
      in_range(0, 4096));
    v("crop_scales", crop_scales, "sides of the square to draw from, in short sides of the picture",
      in_range(0.05, 8.0));
    v("rotate", rotate, "turns the square by up to this many degrees to either side",
      in_range(0.0, 180.0));
    v("perspective", perspective, "moves its corners by up to this share of its side",
      in_range(0.0, 0.2));
    v("flip", flip, "mirrors half of the inputs; their texts then read backwards", Anything{});
    v("mosaic", mosaic, "share of the inputs that are put together from four frames",
      in_range(0.0, 1.0));
    v("min_plate", min_plate, "another square when no plate is this wide in it, input pixels",
      in_range(0.0, 1000.0));
    v("max_plate", max_plate, "another square when every plate is wider than this share of it",
      in_range(0.1, 10.0));
    v("min_visible", min_visible, "a plate that shows less than this share of itself is ignored",
      in_range(0.0, 1.0));
  }
};

}  // namespace plateforge
