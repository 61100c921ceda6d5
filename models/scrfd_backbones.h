#pragma once

#include <memory>
#include <vector>

#include "models/backbone.h"

namespace plateforge {

// The backbones that SCRFD's search found (Guo et al., arXiv 2105.04714), with the module names of
// the published detectors. strides and `whole` are those of make_backbone().

// 0.5 GFLOP at 640x480: depthwise and pointwise convolutions as in MobileNetV1, blocks 2 3 2 6,
// channels 16 16 40 72 152 288.
std::shared_ptr<Backbone> make_scrfd_500m(const std::vector<int64_t>& strides, bool whole);

// 2.5 GFLOP: ResNet-v1e of basic blocks 3 5 3 2, channels 24 48 48 80. Three 3x3 convolutions and a
// 2x2 pooling in front; a shortcut that halves the map averages before its 1x1 convolution.
std::shared_ptr<Backbone> make_scrfd_2g5(const std::vector<int64_t>& strides, bool whole);

}  // namespace plateforge
