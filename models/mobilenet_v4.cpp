#include "models/mobilenet_v4.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "configs/error.h"
#include "models/mobilenet_v4_blocks.h"

namespace plateforge {
namespace {

namespace nn = torch::nn;
using torch::Tensor;
using Kind = MnV4Row::Kind;
using Stages = std::vector<std::vector<MnV4Row>>;

constexpr int64_t kStem = 32, kHead = 1280;

MnV4Row conv(int64_t kernel, int64_t stride, int64_t out) {
  return {Kind::conv, 0, kernel, stride, 1, out};
}
MnV4Row fused(int64_t kernel, int64_t stride, int64_t expansion, int64_t out) {
  return {Kind::fused, 0, kernel, stride, expansion, out};
}
MnV4Row uib(int64_t k_start, int64_t k_mid, int64_t stride, int64_t expansion, int64_t out) {
  return {Kind::uib, k_start, k_mid, stride, expansion, out};
}
MnV4Row attention(int64_t kv_stride, int64_t out) {
  return {Kind::attention, 0, 3, kv_stride, 1, out};
}
MnV4Row repeat(int64_t times, MnV4Row row) {
  row.times = times;
  return row;
}

// uib: depthwise in front, depthwise inside, stride, expansion, channels.
Stages conv_small() {
  return {{conv(3, 2, 32), conv(1, 1, 32)},
          {conv(3, 2, 96), conv(1, 1, 64)},
          {uib(5, 5, 2, 3, 96), repeat(4, uib(0, 3, 1, 2, 96)), uib(3, 0, 1, 4, 96)},
          {uib(3, 3, 2, 6, 128), uib(5, 5, 1, 4, 128), uib(0, 5, 1, 4, 128), uib(0, 5, 1, 3, 128),
           repeat(2, uib(0, 3, 1, 4, 128))},
          {conv(1, 1, 960)}};
}

Stages conv_medium() {
  return {{fused(3, 2, 4, 48)},
          {uib(3, 5, 2, 4, 80), uib(3, 3, 1, 2, 80)},
          {uib(3, 5, 2, 6, 160), repeat(2, uib(3, 3, 1, 4, 160)), uib(3, 5, 1, 4, 160),
           uib(3, 3, 1, 4, 160), uib(3, 0, 1, 4, 160), uib(0, 0, 1, 2, 160), uib(3, 0, 1, 4, 160)},
          {uib(5, 5, 2, 6, 256), uib(5, 5, 1, 4, 256), repeat(2, uib(3, 5, 1, 4, 256)),
           uib(0, 0, 1, 4, 256), uib(3, 0, 1, 4, 256), uib(3, 5, 1, 2, 256), uib(5, 5, 1, 4, 256),
           repeat(2, uib(0, 0, 1, 4, 256)), uib(5, 0, 1, 2, 256)},
          {conv(1, 1, 960)}};
}

Stages hybrid_medium() {
  return {{fused(3, 2, 4, 48)},
          {uib(3, 5, 2, 4, 80), uib(3, 3, 1, 2, 80)},
          {uib(3, 5, 2, 6, 160), uib(0, 0, 1, 2, 160), uib(3, 3, 1, 4, 160), uib(3, 5, 1, 4, 160),
           attention(2, 160), uib(3, 3, 1, 4, 160), attention(2, 160), uib(3, 0, 1, 4, 160),
           attention(2, 160), uib(3, 3, 1, 4, 160), attention(2, 160), uib(3, 0, 1, 4, 160)},
          {uib(5, 5, 2, 6, 256), uib(5, 5, 1, 4, 256), repeat(2, uib(3, 5, 1, 4, 256)),
           uib(0, 0, 1, 2, 256), uib(3, 5, 1, 2, 256), uib(0, 0, 1, 2, 256), uib(0, 0, 1, 4, 256),
           attention(1, 256), uib(3, 0, 1, 4, 256), attention(1, 256), uib(5, 5, 1, 4, 256),
           attention(1, 256), uib(5, 0, 1, 4, 256), attention(1, 256), uib(5, 0, 1, 4, 256)},
          {conv(1, 1, 960)}};
}

}  // namespace

const MnV4Table& mobilenet_v4_table(const std::string& name) {
  static const std::map<std::string, MnV4Table> tables = {
      {"mnv4_conv_small", {1, false, conv_small()}},
      {"mnv4_conv_small_050", {0.5, false, conv_small()}},
      {"mnv4_conv_medium", {1, false, conv_medium()}},
      {"mnv4_hybrid_medium", {1, true, hybrid_medium()}},
  };
  const auto found = tables.find(name);
  if (found != tables.end()) return found->second;
  std::string known;
  for (const auto& [key, table] : tables) known += " " + key;
  fail("unknown MobileNetV4 '", name, "'; known:", known);
}

int64_t round_channels(double channels) {
  constexpr int64_t kMultiple = 8;
  const auto nearest =
      std::max<int64_t>(1, static_cast<int64_t>(channels / kMultiple + 0.5)) * kMultiple;
  return static_cast<double>(nearest) < 0.9 * channels ? nearest + kMultiple : nearest;
}

MobileNetV4::MobileNetV4(const MnV4Table& table, const std::vector<int64_t>& strides, bool whole)
    : stem_(add_conv_norm(*this, {3, kStem, 3, 2}, Activation::relu, {"conv_stem", "bn1"})),
      blocks_(add_child(*this, "blocks")),
      channels_{kStem},
      taps_(tapped_stages(strides)) {
  const auto count = whole ? table.stages.size() : taps_.back() + 1;
  for (size_t stage = 0; stage < count; ++stage) add_stage(table.stages[stage], table);
  for (size_t i = 0; i < taps_.size(); ++i)
    levels_.push_back({strides[i], channels_[taps_[i] + 1]});
}

void MobileNetV4::add_stage(const std::vector<MnV4Row>& rows, const MnV4Table& table) {
  const auto owner = add_child(*blocks_, std::to_string(stages_.size()));
  auto& stage = stages_.emplace_back();
  auto in = channels_.back();
  for (const auto& row : rows) {
    const auto out = round_channels(static_cast<double>(row.out) * table.width);
    for (int64_t i = 0; i < row.times; ++i, in = out) {
      const auto block =
          make_mnv4_block({row, in, out, i == 0 ? row.stride : 1, table.layer_scale});
      stage.push_back(owner->register_module(std::to_string(stage.size()), block));
    }
  }
  channels_.push_back(in);
}

Tensor MobileNetV4::run_stage(size_t stage, Tensor x) {
  for (const auto& block : stages_[stage]) x = block->forward(x);
  return x;
}

std::vector<Tensor> MobileNetV4::forward(const Tensor& images) {
  std::vector<Tensor> maps;
  auto flow = stem_(images);
  for (size_t stage = 0; maps.size() < taps_.size(); ++stage) {
    flow = run_stage(stage, flow);
    if (stage == taps_[maps.size()]) maps.push_back(flow);
  }
  return maps;
}

Tensor MobileNetV4::features(const Tensor& images) {
  auto flow = stem_(images);
  for (size_t stage = 0; stage < stages_.size(); ++stage) flow = run_stage(stage, flow);
  return flow;
}

void MobileNetV4::initialize(at::Generator& generator) {
  initialize_fan_out(*this, generator);
  for (const auto& stage : stages_)
    for (const auto& block : stage) initialize_attention(*block, generator);
}

MobileNetV4Classifier::MobileNetV4Classifier(const std::string& name, int64_t classes)
    : body_(std::make_shared<MobileNetV4>(mobilenet_v4_table(name),
                                          std::vector<int64_t>{4, 8, 16, 32}, /*whole=*/true)),
      classifier_(nullptr) {
  for (const auto& child : body_->named_children()) register_module(child.key(), child.value());
  head_ = add_conv_norm(*this, {body_->features_channels(), kHead}, Activation::relu,
                        {"conv_head", "norm_head"});
  classifier_ = register_module("classifier", nn::Linear(kHead, classes));
}

Tensor MobileNetV4Classifier::forward(const Tensor& images) {
  const auto pooled = body_->features(images).mean({2, 3}, /*keepdim=*/true);
  return classifier_(head_(pooled).flatten(1));
}

void MobileNetV4Classifier::initialize(uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  body_->initialize(generator);
  initialize_fan_out(*this, generator);
  for (const auto& layer : modules())
    if (auto* block = dynamic_cast<MnV4Block*>(layer.get()))
      initialize_attention(*block, generator);
}

}  // namespace plateforge
