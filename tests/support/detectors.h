#pragma once

#include <map>
#include <string>

#include "configs/run_config.h"

namespace plateforge {

// gfickel/alpr's detector as its authors built it.
inline ModelConfig reference_detector() {
  ModelConfig config;
  config.name = "scrfd";
  config.width = config.height = 224;
  auto& d = config.detector;
  d.backbone = "mnv4_hybrid_medium";
  d.whole_backbone = true;
  d.strides = {4, 8, 16, 32, 64};
  d.backbone_levels = 3;
  d.fusion = "sum";
  d.activation = "hard_swish";
  d.head_depth = 4;
  d.head_convolution = "full";
  d.head_norm = "group";
  d.head_towers = "two";
  d.head_shared = true;
  d.anchor_sizes = {64, 128, 256, 512, 1024};
  d.anchor_scales = {1};
  return config;
}

// Small detectors that have every part between them.
inline std::map<std::string, ModelConfig> small_detectors() {
  ModelConfig plain;
  plain.name = "scrfd";
  plain.width = plain.height = 64;
  plain.detector.backbone = "mnv4_conv_small_050";
  plain.detector.neck_channels = 16;
  plain.detector.neck_repeats = 2;
  plain.detector.head_channels = 16;
  plain.detector.head_depth = 1;

  auto hybrid = plain;
  hybrid.detector.backbone = "mnv4_hybrid_medium";
  hybrid.detector.strides = {8, 16, 32, 64};
  hybrid.detector.anchor_sizes = {16, 32, 64, 128};
  hybrid.detector.anchor_scales = {1};
  hybrid.detector.fusion = "softmax";
  hybrid.detector.activation = "hard_swish";
  hybrid.detector.head_convolution = "full";
  hybrid.detector.head_norm = "group";
  hybrid.detector.head_towers = "two";
  hybrid.detector.head_shared = true;

  auto published = plain;
  published.detector.backbone = "scrfd_500m";
  published.detector.neck = "pafpn";
  published.detector.regression = "distance";

  auto residual = published;
  residual.detector.backbone = "scrfd_2g5";
  residual.detector.neck = "bifpn";
  residual.detector.fusion = "sum";
  residual.detector.strides = {4, 8, 16};
  residual.detector.whole_backbone = true;
  residual.detector.head_depth = 0;
  return {{"mnv4", plain}, {"hybrid", hybrid}, {"500m", published}, {"2g5", residual}};
}

}  // namespace plateforge
