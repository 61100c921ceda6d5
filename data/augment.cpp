#include "data/augment.h"

#include <algorithm>

#include "configs/error.h"
#include "data/augment/op.h"
#include "data/geometry.h"
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

// Strips of equal height from top to bottom become neighbours from left to right. Columns that do
// not divide among them repeat the last one.
void put_side_by_side(const cv::Mat& stacked, int rows, const cv::Size& size, cv::Mat& out) {
  out.create(size, CV_8UC3);
  for (int row = 0; row < rows; ++row) {
    const cv::Mat strip = stacked.rowRange(row * size.height, (row + 1) * size.height);
    strip.copyTo(out.colRange(row * stacked.cols, (row + 1) * stacked.cols));
  }
  for (int x = rows * stacked.cols; x < size.width; ++x) out.col(x - 1).copyTo(out.col(x));
}

}  // namespace

struct Augmenter::Impl {
  explicit Impl(const Region& plates) : region(plates) {}

  struct Step {
    const Op* op;
    double probability, strength;
    uint64_t ordinal;  // place in the config's list: part of the random key
  };
  Region region;
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

  void paint(cv::Mat& image, uint64_t seed, const SampleKey& key, double unit) const {
    Rng rng(0);
    ColourMap colour(image);
    for (const Step& step : pixels) {
      if (!drawn(step, seed, key, rng)) continue;
      if (step.op->colour != nullptr) {
        step.op->colour(colour, rng, step.strength);
      } else {
        colour.apply(image);
        step.op->pixels(image, rng, step.strength, unit);
      }
    }
    colour.apply(image);
  }
};

Augmenter::Augmenter(const AugmentConfig& config, const cv::Size& size, const Region& region) {
  auto impl = std::make_unique<Impl>(region);
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
  const auto rows = static_cast<int>(impl_->region.rows_at(aspect_of(plate)));
  // All rows one below the other, each as wide as its place in the output.
  const cv::Size stacked{impl_->size.width / rows, impl_->size.height * rows};
  Geometry placed{plate.quad, stacked, {}};
  impl_->place(placed, seed, key);
  if (rows == 1) {
    warp(plate.image, placed.quad, placed.displacement, stacked, out);
  } else {
    thread_local cv::Mat picture;
    warp(plate.image, placed.quad, placed.displacement, stacked, picture);
    put_side_by_side(picture, rows, impl_->size, out);
  }
  impl_->paint(out, seed, key, 0);
}

void Augmenter::paint(cv::Mat& image, uint64_t seed, const SampleKey& key, double unit) const {
  impl_->paint(image, seed, key, unit);
}

bool Augmenter::has_geometry() const { return !impl_->geometry.empty(); }

std::vector<std::pair<std::string, std::string>> augmentation_ops() {
  std::vector<std::pair<std::string, std::string>> ops;
  for (const Op& op : augment::all_ops()) ops.emplace_back(op.name, op.doc);
  return ops;
}

}  // namespace plateforge
