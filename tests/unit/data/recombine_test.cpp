#include "data/recombine.h"

#include <gtest/gtest.h>

#include <map>
#include <opencv2/imgproc.hpp>
#include <set>
#include <thread>

#include "configs/error.h"
#include "data/augment.h"
#include "data/glyphs.h"
#include "data/plate_layout.h"
#include "data/recombine/align.h"
#include "data/rng.h"

namespace plateforge {
namespace {

// Plain plates drawn from a region's first layout, tilted within a tight upright picture, as a
// stand in for photographs with labels and without corners.
class DrawnPlates final : public PlateSource {
 public:
  DrawnPlates(const Region& region, int64_t count, bool wrong_labels = false)
      : region_(region), fonts_(region.fonts(), region.alphabet()), wrong_(wrong_labels) {
    for (int64_t i = 0; i < count; ++i) {
      Rng rng(mix_key(77, i));
      texts_.push_back(draw_text(region_.layouts()[0], rng, [&](const Slot& slot) {
        return slot
            .symbols[static_cast<size_t>(rng.below(static_cast<int64_t>(slot.symbols.size())))];
      }));
    }
  }
  int64_t size() const override { return static_cast<int64_t>(texts_.size()); }
  bool is_real() const override { return true; }
  std::string text(int64_t index) const override {
    const size_t shown =
        wrong_ ? static_cast<size_t>(index + 1) % texts_.size() : static_cast<size_t>(index);
    return region_.decode(texts_[shown].symbols());
  }
  // Where the plate's corners really are.
  Quad corners(int64_t index) const {
    Rng rng(mix_key(78, index));
    const auto tilt = static_cast<float>(rng.uniform(-14, 14));
    const float left = std::max(-tilt, 0.0F), right = std::max(tilt, 0.0F);
    return {cv::Point2f{0, left}, {200, right}, {200, 62 + right}, {0, 62 + left}};
  }
  Plate read(const SampleKey& key) const override {
    const auto& text = texts_[static_cast<size_t>(key.index)];
    cv::Mat ink = cv::Mat::zeros(140, 440, CV_8U);
    for (const auto& character : text.characters) {
      const auto& name = region_.alphabet()[static_cast<size_t>(character.symbol)];
      const size_t face = fonts_.face_for(name, 0);
      paint_ink(fonts_.glyph(name, face), fonts_.ink_box(name, face, character.cell), ink);
    }
    cv::Mat white, plate(ink.size(), CV_8UC3, cv::Scalar(160, 60, 10));
    cv::cvtColor(ink, white, cv::COLOR_GRAY2BGR);
    cv::max(plate, white, plate);
    const Quad whole = whole_image(plate.size()), placed = corners(key.index);
    Plate result;
    const int height = cvCeil(std::max(placed[2].y, placed[3].y));
    cv::warpPerspective(plate, result.image,
                        cv::getPerspectiveTransform(whole.data(), placed.data()), {200, height},
                        cv::INTER_AREA, cv::BORDER_CONSTANT, cv::Scalar(90, 90, 90));
    cv::GaussianBlur(result.image, result.image, {}, 0.8);
    result.quad = whole_image(result.image.size());
    result.text = this->text(key.index);
    result.source = "drawn";
    return result;
  }
  const Region& region() const { return region_; }
  const GlyphBook& fonts() const { return fonts_; }

 private:
  Region region_;
  GlyphBook fonts_;
  std::vector<PlacedText> texts_;
  bool wrong_;
};

const std::shared_ptr<const DrawnPlates>& shared_plates() {
  static const auto source = std::make_shared<const DrawnPlates>(Region::load("cn"), 24);
  return source;
}

const DrawnPlates& plates() { return *shared_plates(); }

const PlateSourcePtr& recombined() {
  static const PlateSourcePtr source =
      make_recombined({shared_plates()}, plates().region(), {.count = 5000}, 3);
  return source;
}

bool equal(const Plate& a, const Plate& b) {
  return a.text == b.text && a.quad == b.quad && a.image.size() == b.image.size() &&
         cv::norm(a.image, b.image, cv::NORM_INF) == 0;
}

TEST(PlateLayout, CellsOfAChinesePlateFillItsWidth) {
  const Region region = Region::load("cn");
  const auto text = place_text(region, "皖A12345");
  ASSERT_TRUE(text.has_value());
  ASSERT_EQ(text->characters.size(), 7U);
  EXPECT_EQ(region.decode(text->symbols()), "皖A12345");
  // 7 cells of 45, six spaces of 12, 22 more at the dot: 409 of 440 mm, centred.
  EXPECT_NEAR(text->characters[0].cell.x, 15.5, 1e-9);
  EXPECT_NEAR(text->characters[2].cell.x - text->characters[1].cell.x, 45 + 34, 1e-9);
  EXPECT_NEAR(text->characters[6].cell.br().x, 440 - 15.5, 1e-9);
  EXPECT_EQ(text->marks.size(), 1U);
  EXPECT_FALSE(place_text(region, "A12345").has_value());
}

TEST(PlateLayout, OptionalSlotsAndRowsAreFound) {
  const Region region = Region::load("in");
  const auto text = place_text(region, "AP02BK1084");
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(region.decode(text->symbols()), "AP02BK1084");
  for (const auto& layout : region.layouts()) {
    for (int i = 0; i < 50; ++i) {
      Rng rng(mix_key(5, i));
      const auto drawn = draw_text(layout, rng, [&](const Slot& slot) { return slot.symbols[0]; });
      EXPECT_FALSE(region.check(region.decode(drawn.symbols())).has_value());
      const cv::Rect2d plate(0, 0, layout.width_mm, layout.height_mm);
      EXPECT_EQ(drawn.block() & plate, drawn.block()) << layout.name << " leaves its plate";
    }
  }
}

TEST(PlateLayout, DrawnTextsKeepToTheLongestAllowed) {
  const Region region = Region::load("de");
  std::set<size_t> lengths;
  for (const auto& layout : region.layouts()) {
    for (int i = 0; i < 300; ++i) {
      Rng rng(mix_key(6, i));
      const auto drawn = draw_text(layout, rng, [&](const Slot& slot) { return slot.symbols[0]; });
      EXPECT_EQ(region.check(region.decode(drawn.symbols())), std::nullopt);
      lengths.insert(drawn.symbols().size());
    }
  }
  EXPECT_EQ(lengths, (std::set<size_t>{3, 4, 5, 6, 7, 8}));
}

TEST(Align, FindsThePlateWithinATightBox) {
  const InkModel model(plates().fonts(), plates().region().alphabet());
  for (int64_t i = 0; i < 8; ++i) {
    const Plate plate = plates().read({0, i});
    const auto text = place_text(plates().region(), plate.text);
    const Alignment found =
        align_plate(ink_map(plate.image, *text->layout), plate.quad, true, *text, model);
    EXPECT_GT(found.score, 0.9) << plate.text;
    const Quad expected = plates().corners(i);
    for (size_t k = 0; k < 4; ++k) {
      EXPECT_LT(cv::norm(found.quad[k] - expected[k]), 4.0) << plate.text << " corner " << k;
    }
  }
}

TEST(Recombine, TextsAreOfTheGrammarAndVary) {
  const Region& region = plates().region();
  std::set<std::string> texts;
  std::map<std::string, int> provinces;
  for (int64_t i = 0; i < 600; ++i) {
    const std::string text = recombined()->text(i);
    EXPECT_FALSE(region.check(text).has_value()) << text;
    texts.insert(text);
    ++provinces[region.decode({region.encode(text)[0]})];
  }
  EXPECT_GT(texts.size(), 550U);
  // 24 photographs cannot show 31 provinces: the others come from fonts.
  EXPECT_GE(provinces.size(), 28U);
}

TEST(Recombine, DependsOnSeedEpochIndexOnly) {
  constexpr int kCount = 32;
  std::vector<Plate> forward, threaded(kCount);
  for (int i = 0; i < kCount; ++i) forward.push_back(recombined()->read({1, i}));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = kCount - 1 - t; i >= 0; i -= 4) {
        threaded[static_cast<size_t>(i)] = recombined()->read({1, i});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto again = make_recombined({shared_plates()}, plates().region(), {.count = 5000}, 3);
  int changed = 0;
  for (int i = 0; i < kCount; ++i) {
    const auto& plate = forward[static_cast<size_t>(i)];
    EXPECT_TRUE(equal(plate, threaded[static_cast<size_t>(i)])) << i;
    EXPECT_TRUE(equal(plate, again->read({1, i}))) << i;
    changed += equal(plate, recombined()->read({2, i})) ? 0 : 1;
  }
  EXPECT_EQ(changed, kCount);
}

// The label must be what the picture shows: aligning with it agrees better than with another one.
TEST(Recombine, PicturesShowTheirText) {
  const Region& region = plates().region();
  const InkModel model(plates().fonts(), region.alphabet());
  int64_t right = 0, total = 0;
  for (int64_t i = 0; i < 12; ++i) {
    const Plate plate = recombined()->read({0, i});
    const auto text = place_text(region, plate.text);
    const auto found =
        align_plate(ink_map(plate.image, *text->layout), plate.quad, true, *text, model);
    EXPECT_GT(found.score, 0.8) << plate.text;
    for (const auto& character : found.characters) right += character.score > 0.6 ? 1 : 0;
    total += static_cast<int64_t>(found.characters.size());
  }
  EXPECT_GE(right, total * 95 / 100);
}

TEST(Recombine, QuadsStayNearThePicture) {
  for (int64_t i = 0; i < 50; ++i) {
    const Plate plate = recombined()->read({0, i});
    for (const auto& corner : plate.quad) {
      EXPECT_GT(corner.x, -10);
      EXPECT_GT(corner.y, -10);
      EXPECT_LT(corner.x, plate.image.cols + 10);
      EXPECT_LT(corner.y, plate.image.rows + 10);
    }
  }
}

TEST(Recombine, RefusesPlatesThatDoNotShowTheirLabels) {
  const auto wrong = std::make_shared<const DrawnPlates>(Region::load("cn"), 6, true);
  EXPECT_THROW(make_recombined({wrong}, wrong->region(), {.min_score = 0.85}, 1), Error);
}

}  // namespace
}  // namespace plateforge
