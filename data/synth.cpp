#include "data/synth.h"

#include <algorithm>

#include "configs/error.h"
#include "data/rng.h"
#include "data/synth/camera.h"
#include "data/synth/painter.h"

namespace plateforge {
namespace {

// Like a detector's box: around the corners, a little off, within the picture.
Quad upright_box(const Quad& quad, const cv::Size& size, Rng& rng) {
  const auto [left, right] = std::minmax({quad[0].x, quad[1].x, quad[2].x, quad[3].x});
  const auto [top, bottom] = std::minmax({quad[0].y, quad[1].y, quad[2].y, quad[3].y});
  const auto off = [&](float length) {
    return length * static_cast<float>(rng.uniform(-0.02, 0.04));
  };
  const auto clip = [](float at, int extent) {
    return std::clamp(at, 0.0F, static_cast<float>(extent));
  };
  const float l = clip(left - off(right - left), size.width);
  const float r = clip(right + off(right - left), size.width);
  const float t = clip(top - off(bottom - top), size.height);
  const float b = clip(bottom + off(bottom - top), size.height);
  return {cv::Point2f{l, t}, {r, t}, {r, b}, {l, b}};
}

class SynthSource final : public PlateSource {
 public:
  SynthSource(const Region& region, int64_t count, uint64_t seed)
      : region_(region), painter_(region_), count_(count), seed_(seed) {
    for (const Layout& layout : region_.layouts()) weight_ += layout.weight;
    require(weight_ > 0, "region '", region_.name(), "': every layout has weight 0");
  }

  int64_t size() const override { return count_; }
  bool is_real() const override { return false; }
  std::string text(int64_t index) const override {
    return region_.decode(plan({0, index}).symbols());
  }

  Plate read(const SampleKey& key) const override {
    const PlacedText text = plan(key);
    Rng rng(mix_key(seed_, key.epoch, key.index, 1));
    const int width = static_cast<int>(rng.uniform(80, 230));
    // A little larger than it will be seen, so that perspective does not enlarge pixels.
    const Painting painting = painter_.paint(text, 1.15 * width / text.layout->width_mm, rng);
    Plate plate = photograph(painting, width, rng);
    if (rng.chance(0.5)) plate.quad = upright_box(plate.quad, plate.image.size(), rng);
    plate.text = region_.decode(text.symbols());
    plate.source = "synth:" + region_.name() + ":" + std::to_string(key.epoch) + ":" +
                   std::to_string(key.index);
    return plate;
  }

 private:
  PlacedText plan(const SampleKey& key) const {
    Rng rng(mix_key(seed_, key.epoch, key.index, 0));
    double at = rng.uniform() * weight_;
    const Layout* chosen = nullptr;  // the first layout whose share of the weights holds `at`
    for (const Layout& layout : region_.layouts()) {
      if (layout.weight <= 0) continue;
      chosen = &layout;
      if (at < layout.weight) break;
      at -= layout.weight;
    }
    return draw_text(*chosen, rng, [&](const Slot& slot) {
      return slot
          .symbols[static_cast<size_t>(rng.below(static_cast<int64_t>(slot.symbols.size())))];
    });
  }

  Region region_;
  PlatePainter painter_;
  int64_t count_;
  uint64_t seed_;
  double weight_ = 0;
};

}  // namespace

PlateSourcePtr make_synth_source(const SpecPart& part, const Region& region, uint64_t seed) {
  const Region own = part.location == region.name() ? region : Region::load(part.location);
  for (const Layout& layout : own.layouts()) {
    for (const auto& row : layout.rows) {
      for (const Slot& slot : row) {
        for (const int64_t symbol : slot.symbols) region.encode(own.decode({symbol}));
      }
    }
  }
  const int64_t count = spec_number(part, "count", 100000);
  require(count > 0, "synth:", part.location, ": expected count above 0");
  const auto own_seed = static_cast<uint64_t>(spec_number(part, "seed", 0));
  return std::make_shared<SynthSource>(own, count, mix_key(seed, own_seed));
}

}  // namespace plateforge
