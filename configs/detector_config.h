#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "configs/visit.h"

namespace plateforge {

// The parts of a detector (`model.name: scrfd`): backbone, neck, head and anchors.
struct DetectorConfig {
  std::string backbone = "mnv4_conv_small";
  bool whole_backbone = false;
  std::vector<int64_t> strides = {8, 16, 32};
  int64_t backbone_levels = 0;
  std::string neck = "bifpn";
  int64_t neck_channels = 64;
  int64_t neck_repeats = 3;
  std::string fusion = "fast";
  std::string activation = "relu";
  int64_t head_channels = 64;
  int64_t head_depth = 2;
  std::string head_convolution = "separable";
  std::string head_norm = "batch";
  std::string head_towers = "one";
  bool head_shared = false;
  std::string regression = "gfl";
  int64_t reg_max = 16;
  std::vector<int64_t> anchor_sizes = {16, 64, 256};
  std::vector<double> anchor_scales = {1, 2};
  double anchor_ratio = 1;

  template <class V>
  void visit(V& v) {
    v("backbone", backbone, "feature extractor",
      one_of({"mnv4_conv_small", "mnv4_conv_small_050", "mnv4_conv_medium", "mnv4_hybrid_medium",
              "scrfd_500m", "scrfd_2g5"}));
    v("whole_backbone", whole_backbone,
      "keep the stages behind the last tap, as the reference does; they compute nothing",
      Anything{});
    v("strides", strides, "pixels between the locations of each level; each twice the one before",
      in_range(4, 128));
    v("backbone_levels", backbone_levels,
      "levels taken from the backbone, the coarser ones are made from its last; 0 = all it has, "
      "which is up to stride 32",
      in_range(0, 4));
    v("neck", neck, "what mixes the levels", one_of({"bifpn", "pafpn"}));
    v("neck_channels", neck_channels, "channels of every level behind the neck", in_range(8, 1024));
    v("neck_repeats", neck_repeats, "BiFPN cells", in_range(1, 16));
    v("fusion", fusion, "how a BiFPN node adds its inputs: plain sum, fast normalised or softmax",
      one_of({"sum", "fast", "softmax"}));
    v("activation", activation, "of the BiFPN", one_of({"relu", "hard_swish"}));
    v("head_channels", head_channels, "channels inside the head", in_range(8, 1024));
    v("head_depth", head_depth, "convolutions of a tower", in_range(0, 8));
    v("head_convolution", head_convolution, "3x3, or depthwise 3x3 and 1x1",
      one_of({"full", "separable"}));
    v("head_norm", head_norm, "normalisation of the towers", one_of({"batch", "group"}));
    v("head_towers", head_towers, "one for scores, boxes and corners, or one for scores apart",
      one_of({"one", "two"}));
    v("head_shared", head_shared, "all levels use the same towers", Anything{});
    v("regression", regression,
      "boxes as distributions over 0..reg_max (GFL: DFL + GIoU) or as plain distances (DIoU)",
      one_of({"gfl", "distance"}));
    v("reg_max", reg_max, "largest distance of gfl, in strides", in_range(1, 64));
    v("anchor_sizes", anchor_sizes, "side of the first anchor of each level, pixels",
      in_range(1, 4096));
    v("anchor_scales", anchor_scales, "anchors of a location, as multiples of that side",
      in_range(0.1, 16.0));
    v("anchor_ratio", anchor_ratio, "width / height of the anchors", in_range(0.1, 10.0));
  }
};

}  // namespace plateforge
