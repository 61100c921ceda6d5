#include "data/synth.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "configs/error.h"
#include "data/plate_layout.h"
#include "data/recombine/align.h"

namespace plateforge {
namespace {

PlateSourcePtr synth(const std::string& region, uint64_t seed = 1, const char* own_seed = "0") {
  SpecPart part;
  part.kind = "synth";
  part.location = region;
  part.options = {{"count", "5000"}, {"seed", own_seed}};
  return make_synth_source(part, Region::load(region), seed);
}

bool equal(const Plate& a, const Plate& b) {
  return a.text == b.text && a.quad == b.quad && a.image.size() == b.image.size() &&
         cv::norm(a.image, b.image, cv::NORM_INF) == 0;
}

TEST(Synth, LabelsFitEveryShippedRegion) {
  for (const std::string name : {"cn", "cn-extended", "de", "fr", "br", "in", "gb", "nl"}) {
    const Region region = Region::load(name);
    const auto source = synth(name);
    EXPECT_EQ(source->size(), 5000);
    EXPECT_FALSE(source->is_real());
    std::map<std::string, int> layouts;
    for (int64_t i = 0; i < 300; ++i) {
      const std::string text = source->text(i);
      EXPECT_FALSE(region.check(text).has_value()) << name << " " << text;
      ++layouts[region.layout_of(text).value_or("none")];
    }
    EXPECT_FALSE(layouts.contains("none")) << name;
    EXPECT_EQ(source->read({0, 7}).text, source->text(7));
  }
}

TEST(Synth, DependsOnSeedEpochIndexOnly) {
  constexpr int kCount = 24;
  const auto source = synth("cn"), again = synth("cn"), other = synth("cn", 2);
  std::vector<Plate> threaded(kCount);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = kCount - 1 - t; i >= 0; i -= 3) {
        threaded[static_cast<size_t>(i)] = source->read({1, i});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (int i = 0; i < kCount; ++i) {
    EXPECT_TRUE(equal(again->read({1, i}), threaded[static_cast<size_t>(i)])) << i;
    EXPECT_FALSE(equal(source->read({2, i}), threaded[static_cast<size_t>(i)])) << i;
    EXPECT_FALSE(equal(other->read({1, i}), threaded[static_cast<size_t>(i)])) << i;
  }
}

// Else plates to measure on could be those of training.
TEST(Synth, SeedsOfRunAndSpecAreNotInterchangeable) {
  EXPECT_NE(synth("cn", 1, "0")->text(0), synth("cn", 0, "1")->text(0));
  EXPECT_NE(synth("cn", 1, "1")->text(0), synth("cn", 2, "2")->text(0));
  EXPECT_EQ(synth("cn", 1, "2")->text(0), synth("cn", 1, "2")->text(0));
}

TEST(Synth, CornersLieWithinThePicture) {
  const auto source = synth("de");
  for (int64_t i = 0; i < 200; ++i) {
    const Plate plate = source->read({0, i});
    ASSERT_EQ(plate.image.type(), CV_8UC3);
    for (const auto& corner : plate.quad) {
      EXPECT_TRUE(corner.x >= 0 && corner.y >= 0 && corner.x <= float(plate.image.cols) &&
                  corner.y <= float(plate.image.rows))
          << plate.source << " " << corner;
    }
  }
}

// The picture must show its text where its corners say.
TEST(Synth, PicturesShowTheirText) {
  const Region region = Region::load("cn");
  const GlyphBook fonts(region.fonts(), region.alphabet());
  const InkModel model(fonts, region.alphabet());
  const auto source = synth("cn");
  const auto shows = [&](const Plate& plate, const std::string& written) {
    const auto text = place_text(region, written);
    EXPECT_TRUE(text.has_value()) << written;
    return align_plate(ink_map(plate.image, *text->layout), plate.quad, true, *text, model).score >
           0.6;
  };
  int own = 0, others = 0;
  for (int64_t i = 0; i < 120; ++i) {
    const Plate plate = source->read({0, i});
    own += shows(plate, plate.text) ? 1 : 0;
    others += shows(plate, source->text(i + 1)) ? 1 : 0;
  }
  EXPECT_GE(own, 66);  // about two thirds: the others are blurred, dark or small
  EXPECT_LE(others, 6);
}

TEST(Synth, AlphabetOfTheNetworkMustHoldTheRegion) {
  SpecPart part;
  part.kind = "synth";
  part.location = "de";
  EXPECT_THROW(make_synth_source(part, Region::load("cn"), 1), Error);
  part.location = "cn";
  part.options = {{"count", "many"}};
  EXPECT_THROW(make_synth_source(part, Region::load("cn"), 1), Error);
}

}  // namespace
}  // namespace plateforge
