#include "models/scrfd.h"

#include <ATen/CPUGeneratorImpl.h>

#include "configs/error.h"

namespace plateforge {
namespace {

constexpr int64_t kCoarsestTap = 32;

// Strides of the maps that come from the backbone; the neck makes the others.
std::vector<int64_t> backbone_strides(const DetectorConfig& config) {
  std::vector<int64_t> strides;
  for (const auto stride : config.strides) {
    const auto limit = config.backbone_levels;
    const bool enough = limit > 0 && static_cast<int64_t>(strides.size()) == limit;
    if (stride <= kCoarsestTap && !enough) strides.push_back(stride);
  }
  return strides;
}

void check(const ModelConfig& config) {
  const auto& detector = config.detector;
  require(config.width_multiplier == 1,
          "model.width_multiplier is for lprnet; a detector's width is that of its backbone, "
          "model.detector.neck_channels and model.detector.head_channels");
  check_levels(detector);
  require(!detector.anchor_scales.empty(), "model.detector.anchor_scales is empty");
}

}  // namespace

Scrfd::Scrfd(const DetectorConfig& config)
    : backbone_(register_module("backbone", make_backbone(config.backbone, backbone_strides(config),
                                                          config.whole_backbone))),
      neck_(register_module("neck", make_neck(config, backbone_->levels()))),
      head_(register_module("head", std::make_shared<ScrfdHead>(config))) {}

torch::Tensor Scrfd::forward(const torch::Tensor& images) {
  return head_->forward(neck_->forward(backbone_->forward(images)));
}

void Scrfd::initialize(uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  backbone_->initialize(generator);
  neck_->initialize(generator);
  head_->initialize(generator);
}

NetworkPtr make_scrfd(const ModelConfig& config, int64_t /*num_classes*/, uint64_t seed) {
  check(config);
  auto network = std::make_shared<Scrfd>(config.detector);
  network->initialize(seed);
  return network;
}

int64_t scrfd_time_steps(const ModelConfig& config) {
  fail("model.name = ", config.name,
       " is a detector, which has no output steps; expected a reader");
}

}  // namespace plateforge
