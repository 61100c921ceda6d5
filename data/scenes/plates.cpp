#include "data/scenes/plates.h"

#include <algorithm>
#include <array>
#include <opencv2/imgproc.hpp>

#include "configs/error.h"
#include "data/augment.h"
#include "data/geometry.h"
#include "data/parallel.h"

namespace plateforge::scenes {
namespace {

constexpr int64_t kMostPhotographs = 1500;
constexpr int kWidestPhotograph = 256;  // pixels kept; bounds memory

struct Colours {
  Rgb background, foreground;
};
// What plates of the world look like, beside the shipped packs.
constexpr std::array<Colours, 18> kColours = {{{{245, 245, 240}, {15, 15, 15}},
                                               {{240, 240, 235}, {150, 15, 20}},
                                               {{240, 240, 240}, {15, 40, 130}},
                                               {{240, 242, 238}, {10, 90, 50}},
                                               {{245, 195, 0}, {15, 15, 15}},
                                               {{235, 175, 20}, {120, 20, 15}},
                                               {{20, 20, 22}, {240, 240, 240}},
                                               {{25, 25, 25}, {225, 190, 60}},
                                               {{30, 30, 30}, {180, 185, 190}},
                                               {{170, 20, 25}, {245, 245, 245}},
                                               {{10, 100, 60}, {245, 245, 245}},
                                               {{15, 60, 150}, {245, 245, 245}},
                                               {{235, 120, 20}, {20, 20, 20}},
                                               {{150, 195, 225}, {15, 25, 60}},
                                               {{190, 192, 195}, {25, 25, 28}},
                                               {{120, 190, 130}, {10, 20, 10}},
                                               {{225, 215, 190}, {60, 40, 30}},
                                               {{90, 20, 70}, {240, 235, 220}}}};
// Width and height in millimetres of one-row plates elsewhere: North America, Japan, Australia,
// Gulf states, Italy's front, Switzerland's.
constexpr std::array<std::array<double, 2>, 6> kSizes = {
    {{305, 152}, {330, 165}, {372, 134}, {335, 155}, {360, 110}, {300, 80}}};

template <class Table>
const auto& pick(const Table& table, Rng& rng) {
  return table[static_cast<size_t>(rng.below(static_cast<int64_t>(table.size())))];
}

// A layout that no pack has: other colours, for one row other proportions, other bands.
void reinvent(Layout& layout, Rng& rng) {
  if (rng.chance(0.8)) {
    const Colours& colours = pick(kColours, rng);
    layout.background = layout.background_bottom = colours.background;
    layout.foreground = layout.border = colours.foreground;
    if (rng.chance(0.15)) layout.background_bottom = pick(kColours, rng).background;
  }
  layout.border_mm = rng.chance(0.5) ? 0 : rng.uniform(1, 6);
  if (rng.chance(0.5)) layout.band_left_mm = layout.band_right_mm = layout.band_top_mm = 0;
  if (layout.rows.size() == 1 && rng.chance(0.6)) {
    const auto& size = pick(kSizes, rng);
    const double share = rng.uniform(0.42, 0.68);
    layout.char_width_mm *= share * size[1] / layout.char_height_mm;
    layout.char_height_mm = share * size[1];
    layout.spacing_mm *= size[0] / layout.width_mm;
    layout.width_mm = size[0], layout.height_mm = size[1];
    layout.band_left_mm = layout.band_right_mm = 0;
    if (share < 0.56 && rng.chance(0.6)) {
      static const std::array<const char*, 6> kNames = {"TEXAS", "NEVADA", "FLORIDA",
                                                        "DUBAI", "TURKEY", "QUEBEC"};
      layout.band_top_mm = size[1] * rng.uniform(0.14, 0.24);
      layout.band_text = pick(kNames, rng);
      layout.band_colour = rng.chance(0.6) ? layout.background : pick(kColours, rng).background;
    }
  }
}

const Layout& draw_layout(const Region& region, Rng& rng) {
  double total = 0;
  for (const Layout& layout : region.layouts()) total += layout.weight;
  double at = rng.uniform() * total;
  const Layout* chosen = nullptr;  // the first whose share of the weights holds `at`
  for (const Layout& layout : region.layouts()) {
    if (layout.weight <= 0) continue;
    chosen = &layout;
    if (at < layout.weight) break;
    at -= layout.weight;
  }
  return *chosen;
}

// Millimetres of a real plate: those of the layout that its text has in one of the regions, else
// what its proportions say at the usual width.
cv::Size2d real_size(const Plate& plate, const std::vector<Region>& regions) {
  for (const Region& region : regions) {
    try {
      if (const auto text = place_text(region, plate.text)) {
        return {text->layout->width_mm, text->layout->height_mm};
      }
    } catch (const Error&) {  // written in another alphabet
    }
  }
  return {440, 440 / std::clamp(aspect_of(plate), 0.8, 6.0)};
}

}  // namespace

Plates::Plates(std::vector<Region> regions, bool invent, const PlateSourcePtr& real)
    : regions_(std::move(regions)), invent_(invent) {
  painters_.reserve(regions_.size());
  for (const Region& region : regions_) {
    require(std::any_of(region.layouts().begin(), region.layouts().end(),
                        [](const Layout& layout) { return layout.weight > 0; }),
            "region '", region.name(), "': every layout has weight 0");
    painters_.emplace_back(region);
  }
  if (!real) return;
  const int64_t count = std::min(real->size(), kMostPhotographs);
  photographs_.resize(static_cast<size_t>(count));
  parallel_for(count, 0, [&](int64_t i) {
    const Plate plate = real->read({0, i * real->size() / count});
    Photograph& photograph = photographs_[static_cast<size_t>(i)];
    photograph.label = plate.text;
    photograph.size = real_size(plate, regions_);
    const int width = std::clamp(cvRound(side_lengths(plate.quad).width), 16, kWidestPhotograph);
    const double aspect = photograph.size.width / photograph.size.height;
    rectify(plate.image, plate.quad, {width, std::max(cvRound(width / aspect), 6)},
            photograph.image);
  });
}

PlateDesign Plates::painted(Rng& rng) const {
  PlateDesign design;
  design.region = static_cast<size_t>(rng.below(static_cast<int64_t>(regions_.size())));
  const Region& region = regions_[design.region];
  auto layout = std::make_shared<Layout>(draw_layout(region, rng));
  if (invent_ && rng.chance(0.35)) reinvent(*layout, rng);
  design.layout = layout;
  design.text = draw_text(*layout, rng, [&](const Slot& slot) { return pick(slot.symbols, rng); });
  design.size = {layout->width_mm, layout->height_mm};
  design.label = region.decode(design.text.symbols());
  return design;
}

PlateDesign Plates::design(Rng& rng) const {
  if (photographs_.empty() || rng.chance(0.5)) return painted(rng);
  PlateDesign design;
  design.photograph = rng.below(static_cast<int64_t>(photographs_.size()));
  const Photograph& photograph = photographs_[static_cast<size_t>(design.photograph)];
  design.size = photograph.size;
  design.label = photograph.label;
  design.most_pixels = photograph.image.cols * 8 / 5;
  return design;
}

cv::Mat Plates::paint(const PlateDesign& design, double pixels, Rng& rng) const {
  if (design.photograph >= 0) {
    return photographs_[static_cast<size_t>(design.photograph)].image.clone();
  }
  // Strokes thinner than a pixel are drawn a pixel wide: small plates are painted larger.
  const double scale = std::clamp(pixels, 140.0, 700.0) / design.size.width;
  const Painting painting = painters_[design.region].paint(design.text, scale, rng);
  return painting.image(cv::Rect(painting.plate)).clone();
}

}  // namespace plateforge::scenes
