#include "data/augment.h"

#include <algorithm>

#include "configs/error.h"
#include "data/augment/op.h"
#include "data/rectify.h"

namespace plateforge {
namespace {

using augment::ColourMap;
using augment::Geometry;
using augment::Op;

const Op& find_op(const std::string& name) {
  const auto ops = augment::all_ops();
  const auto it =
      std::find_if(ops.begin(), ops.end(), [&](const Op& op) { return op.name == name; });
  if (it != ops.end()) return *it;
  std::string known;
  for (const Op& op : ops) known += (known.empty() ? "" : ", ") + std::string(op.name);
  fail("unknown augmentation op '", name, "'; known: ", known);
}

}  // namespace

struct Augmenter::Impl {
  struct Step {
    const Op* op;
    double probability, strength;
    uint64_t ordinal;  // place in the config's list: part of the random key
  };
  cv::Size size;
  std::vector<Step> geometry, pixels;

  // The random numbers of a step, when this sample gets it.
  static bool drawn(const Step& step, uint64_t seed, const SampleKey& key, Rng& rng) {
    rng = Rng(mix_key(seed, key.epoch, key.index, step.ordinal));
    return rng.chance(step.probability);
  }

  void place(Geometry& placed, uint64_t seed, const SampleKey& key) const {
    Rng rng(0);
    for (const Step& step : geometry) {
      if (!drawn(step, seed, key, rng)) continue;
      const Quad before = placed.quad;
      step.op->geometry(placed, rng, step.strength);
      if (!is_convex(placed.quad)) placed.quad = before;  // a fold is not a view of a plate
    }
  }

  void paint(cv::Mat& image, uint64_t seed, const SampleKey& key) const {
    Rng rng(0);
    ColourMap colour(image);
    for (const Step& step : pixels) {
      if (!drawn(step, seed, key, rng)) continue;
      if (step.op->colour != nullptr) {
        step.op->colour(colour, rng, step.strength);
      } else {
        colour.apply(image);
        step.op->pixels(image, rng, step.strength);
      }
    }
    colour.apply(image);
  }
};

Augmenter::Augmenter(const AugmentConfig& config, const cv::Size& size) {
  auto impl = std::make_unique<Impl>();
  impl->size = size;
  for (size_t i = 0; i < config.ops.size(); ++i) {
    const auto& wanted = config.ops[i];
    const Op& op = find_op(wanted.op);
    const double strength = config.strength * wanted.strength;
    if (strength <= 0 || wanted.probability <= 0) continue;
    auto& list = op.geometry != nullptr ? impl->geometry : impl->pixels;
    list.push_back({&op, wanted.probability, strength, i});
  }
  impl_ = std::move(impl);
}

Augmenter::~Augmenter() = default;

void Augmenter::operator()(const Plate& plate, uint64_t seed, const SampleKey& key,
                           cv::Mat& out) const {
  Geometry placed{plate.quad, impl_->size, {}};
  impl_->place(placed, seed, key);
  warp(plate.image, placed.quad, placed.displacement, impl_->size, out);
  impl_->paint(out, seed, key);
}

std::vector<std::pair<std::string, std::string>> augmentation_ops() {
  std::vector<std::pair<std::string, std::string>> ops;
  for (const Op& op : augment::all_ops()) ops.emplace_back(op.name, op.doc);
  return ops;
}

}  // namespace plateforge
