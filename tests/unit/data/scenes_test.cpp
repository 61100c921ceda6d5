#include "data/scenes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <thread>

#include "data/augment.h"
#include "data/geometry.h"
#include "data/recombine/align.h"
#include "data/rectify.h"
#include "data/scenes/billboard.h"
#include "data/scenes/photos.h"
#include "data/scenes/plan.h"
#include "data/scenes/view.h"
#include "tests/support/problem.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;
using Options = std::vector<std::pair<std::string, std::string>>;

FrameSourcePtr scenes_of(const std::string& region, const Options& options = {},
                         uint64_t seed = 1) {
  SpecPart part;
  part.kind = "scenes";
  part.location = region;
  part.options = options;
  return make_scene_source(part, Region::load("cn"), seed);
}

bool equal(const Frame& a, const Frame& b) {
  if (a.image.size() != b.image.size() || a.plates.size() != b.plates.size()) return false;
  for (size_t i = 0; i < a.plates.size(); ++i) {
    if (a.plates[i].corners != b.plates[i].corners || a.plates[i].text != b.plates[i].text) {
      return false;
    }
  }
  return cv::norm(a.image, b.image, cv::NORM_INF) == 0;
}

double inside_of(const FramePlate& plate, const cv::Size& picture) {
  return scenes::share_inside(*plate.corners, picture);
}

TEST(Scenes, DependOnSeedEpochIndexOnly) {
  constexpr int kCount = 6;
  const auto source = scenes_of("any"), again = scenes_of("any"), other = scenes_of("any", {}, 2);
  EXPECT_EQ(source->size(), 10000);
  EXPECT_FALSE(source->is_real());
  std::vector<Frame> threaded(kCount);
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

TEST(Scenes, AnnotationsAreConsistent) {
  const auto source = scenes_of("any");
  for (int64_t i = 0; i < 300; ++i) {
    for (const FramePlate& plate : source->plates(i)) {
      ASSERT_TRUE(plate.corners.has_value());
      EXPECT_TRUE(is_convex(*plate.corners)) << i;  // also: clockwise from the left top
      EXPECT_EQ(plate.box, scenes::extents(*plate.corners)) << i;
      EXPECT_FALSE(plate.text.empty());
    }
  }
  const Frame frame = source->read({0, 3});
  EXPECT_EQ(frame.image.type(), CV_8UC3);
  EXPECT_EQ(frame.region, cv::Rect({0, 0}, frame.image.size()));
  EXPECT_GE(std::min(frame.image.cols, frame.image.rows), 480);
  EXPECT_LE(std::max(frame.image.cols, frame.image.rows), 1280);
  const auto annotated = source->plates(3);
  ASSERT_EQ(annotated.size(), frame.plates.size());
  for (size_t i = 0; i < annotated.size(); ++i) {
    EXPECT_EQ(annotated[i].corners, frame.plates[i].corners);
  }
}

// Several plates, none over another, small and large, turned and straight, a few cut or hidden.
TEST(Scenes, VaryInNumberSizeAndTurn) {
  const auto source = scenes_of("any");
  int empty = 0, single = 0, several = 0, small = 0, large = 0, turned = 0, ignored = 0, total = 0;
  constexpr int kCount = 600;
  for (int64_t i = 0; i < kCount; ++i) {
    const auto plates = source->plates(i);
    ASSERT_LE(plates.size(), 4U);
    (plates.empty() ? empty : plates.size() == 1 ? single : several) += 1;
    for (size_t k = 0; k < plates.size(); ++k) {
      const Quad& quad = *plates[k].corners;
      const float width = side_lengths(quad).width;
      const cv::Point2f along = quad[1] - quad[0];
      ++total;
      small += width<50, large += width> 200, ignored += plates[k].ignore;
      turned += std::abs(std::atan2(along.y, along.x)) > 0.35F;
      for (size_t other = 0; other < k; ++other) {
        EXPECT_TRUE((plates[k].box & plates[other].box).empty()) << i;
      }
    }
  }
  EXPECT_NEAR(empty, 0.15 * kCount, 40);
  EXPECT_GT(single, kCount / 4);
  EXPECT_GT(several, kCount / 6);
  EXPECT_GT(small, total / 8);
  EXPECT_GT(large, total / 8);
  EXPECT_GT(turned, total / 20);
  EXPECT_GT(ignored, 0);
  EXPECT_LT(ignored, total / 8);
}

TEST(Scenes, ShareOfEmptyScenesIsAsAsked) {
  const auto none = scenes_of("any", {{"empty", "1"}}), all = scenes_of("any", {{"empty", "0"}});
  int found = 0;
  for (int64_t i = 0; i < 100; ++i) {
    EXPECT_TRUE(none->plates(i).empty()) << i;
    found += all->plates(i).empty() ? 0 : 1;
  }
  EXPECT_GE(found, 98);  // a plate that finds no place is left out
}

// How well the ink of a text agrees with what a quad of the picture shows.
double agreement(const cv::Mat& image, const Quad& quad, const PlacedText& text,
                 const InkModel& model) {
  cv::Mat flat;
  rectify(image, quad, {240, 76}, flat);
  return align_plate(ink_map(flat, *text.layout), whole_image(flat.size()), true, text, model)
      .score;
}

// Rectified by its corners a plate shows its text: fonts in the geometry of the layout are found
// where the corners say, and not half a plate beside.
TEST(Scenes, PlatesShowTheirTextWhereTheirCornersAre) {
  const Region region = Region::load("cn");
  const GlyphBook fonts(region.fonts(), region.alphabet());
  const InkModel model(fonts, region.alphabet());
  const auto source = scenes_of("cn", {{"empty", "0"}});
  int clear = 0, beside = 0, total = 0;
  const auto fit_to_read = [](const FramePlate& plate) {
    const cv::Size2f sides = side_lengths(*plate.corners);
    return !plate.ignore && sides.width > 150 && sides.height > 40;
  };
  for (int64_t i = 0; total < 30; ++i) {
    const auto annotated = source->plates(i);
    if (std::none_of(annotated.begin(), annotated.end(), fit_to_read)) continue;
    const Frame frame = source->read({0, i});
    for (const FramePlate& plate : frame.plates) {
      if (!fit_to_read(plate) || inside_of(plate, frame.image.size()) < 0.99) continue;
      const auto text = place_text(region, plate.text);
      ASSERT_TRUE(text.has_value()) << plate.text;
      Quad moved = *plate.corners;
      for (size_t k = 0; k < 4; ++k) {
        moved[k] += ((*plate.corners)[3] - (*plate.corners)[0]) * 0.5F;
      }
      clear += agreement(frame.image, *plate.corners, *text, model) > 0.55;
      beside += agreement(frame.image, moved, *text, model) > 0.55;
      ++total;
    }
  }
  EXPECT_GE(clear, total * 4 / 10) << total;  // the others are hidden, blurred or badly lit
  EXPECT_LE(beside, total / 10) << total;
}

// A bright board on a dark picture: its mass and its middle are those of the quad.
TEST(Scenes, BoardsFillTheirQuadExactly) {
  Rng rng(3);
  for (int i = 0; i < 40; ++i) {
    scenes::Pose pose{rng.uniform(-1, 1),
                      rng.uniform(-0.6, 0.6),
                      rng.uniform(-0.5, 0.5),
                      {rng.uniform(180, 220), rng.uniform(130, 170)},
                      rng.uniform(0.1, 0.5),
                      rng.uniform(300, 900),
                      {200, 150}};
    const scenes::View view(pose);
    const scenes::Billboard board{
        cv::Mat(60, 180, CV_8UC3, cv::Scalar::all(255)), {}, {-220, -70, 440, 140}};
    cv::Mat picture(300, 400, CV_8UC3, cv::Scalar::all(0)), grey;
    put(board, view, 0, picture);
    cv::cvtColor(picture, grey, cv::COLOR_BGR2GRAY);
    const Quad quad = view.quad(board.place);
    const cv::Moments seen = cv::moments(grey);
    const cv::Moments expected = cv::moments(std::vector<cv::Point2f>(quad.begin(), quad.end()));
    EXPECT_NEAR(seen.m00 / 255, expected.m00, 0.01 * expected.m00 + 2);
    // Pixel centres lie at integers + 0.5.
    EXPECT_NEAR(seen.m10 / seen.m00 + 0.5, expected.m10 / expected.m00, 0.1);
    EXPECT_NEAR(seen.m01 / seen.m00 + 0.5, expected.m01 / expected.m00, 0.1);
  }
}

TEST(Scenes, CornersKeepTheOrderOfThePlateItself) {
  scenes::Pose pose;
  pose.centre = pose.principal = {100, 100};
  const cv::Rect2d plate(-20, -10, 40, 20);
  const Quad straight = scenes::View(pose).quad(plate);
  EXPECT_NEAR(straight[0].x, 80, 1e-3);
  EXPECT_NEAR(straight[0].y, 90, 1e-3);
  pose.roll = std::acos(-1.0) / 2;  // clockwise on the screen: its left top is now right above
  const Quad turned = scenes::View(pose).quad(plate);
  EXPECT_NEAR(turned[0].x, 110, 1e-3);
  EXPECT_NEAR(turned[0].y, 80, 1e-3);
  EXPECT_NEAR(turned[1].x, 110, 1e-3);
  EXPECT_NEAR(turned[1].y, 120, 1e-3);
  pose.roll = 0, pose.yaw = 0.8;  // one side comes nearer and looks longer
  const Quad yawed = scenes::View(pose).quad(plate);
  EXPECT_NE(yawed[3].y - yawed[0].y, yawed[2].y - yawed[1].y);
  // The same plane found again from what was seen.
  const scenes::View again(yawed, plate.size());
  EXPECT_NEAR(again(10, 5).x, scenes::View(pose)(10, 5).x, 1e-3);
  EXPECT_NEAR(again(10, 5).y, scenes::View(pose)(10, 5).y, 1e-3);
}

TEST(Scenes, ReadCutsTheRegionAskedFor) {
  const auto source = scenes_of("any");
  const Frame whole = source->read({0, 5});
  const cv::Rect wanted(-40, 100, 300, 250);
  const Frame part = source->read({0, 5}, [&](const cv::Size& size, const auto& plates) {
    EXPECT_EQ(size, whole.image.size());
    EXPECT_EQ(plates.size(), whole.plates.size());
    return FrameView{wanted, 1.9};
  });
  EXPECT_EQ(part.region, cv::Rect(0, 100, 260, 250));
  EXPECT_EQ(part.reduction, 1);
  ASSERT_EQ(part.image.size(), part.region.size());
  EXPECT_EQ(cv::norm(part.image, whole.image(part.region), cv::NORM_INF), 0);
  const auto outside = [](const cv::Size& size, const auto&) {
    return FrameView{{size.width + 5, 0, 10, 10}, 1};
  };
  EXPECT_NE(problem_of([&] { source->read({0, 5}, outside); }).find("outside"), std::string::npos);
}

TEST(Scenes, ReducedHaveTheSamePlatesWithFewerPixels) {
  const auto source = scenes_of("any");
  double alike = 0;
  int plates = 0;
  for (int64_t index = 0; index < 12; ++index) {
    const Frame whole = source->read({0, index});
    const Frame part = source->read({0, index}, [&](const cv::Size& size, const auto&) {
      return FrameView{{1, 2, size.width, size.height}, 3};
    });
    EXPECT_EQ(part.reduction, 2);
    EXPECT_EQ(part.region, cv::Rect({0, 2}, whole.image.size() - cv::Size(0, 2)));
    ASSERT_EQ(part.image.size(), part.region.size() / 2);
    ASSERT_EQ(part.plates.size(), whole.plates.size());
    for (const auto& plate : whole.plates) {
      const cv::Rect box = cv::Rect(plate.box) & part.region;
      if (plate.ignore || box.width < 60) continue;
      cv::Mat all, few, likeness;
      cv::resize(whole.image(box), all, {24, 8}, 0, 0, cv::INTER_AREA);
      const cv::Point from = (box.tl() - part.region.tl()) / 2;
      cv::resize(part.image(cv::Rect(from, box.size() / 2)), few, {24, 8}, 0, 0, cv::INTER_AREA);
      cv::matchTemplate(all, few, likeness, cv::TM_CCOEFF_NORMED);
      alike += likeness.at<float>(0, 0), ++plates;
    }
  }
  ASSERT_GE(plates, 6);
  EXPECT_GT(alike / plates, 0.8);
}

// --- backgrounds and real plates
// --------------------------------------------------------------------

constexpr const char* kCcpdName =
    "025-95_113-200&300_420&380-420&380_200&372_204&300_418&306-0_0_22_27_27_33_16-37-15.jpg";

// Waves of grey that a plate, black and white squares, lies on.
cv::Mat frame_with_plate(bool with_plate) {
  cv::Mat image(800, 640, CV_8UC3);
  for (int y = 0; y < image.rows; ++y) {
    for (int x = 0; x < image.cols; ++x) {
      const double v = 120 + 0.08 * x + 20 * std::sin(0.01 * y);
      image.at<cv::Vec3b>(y, x) = cv::Vec3b::all(cv::saturate_cast<uint8_t>(v));
      const bool on_plate = x >= 200 && x < 420 && y >= 300 && y < 380;
      if (with_plate && on_plate) {
        image.at<cv::Vec3b>(y, x) = (x / 10 + y / 10) % 2 ? cv::Vec3b(255, 255, 255) : cv::Vec3b();
      }
    }
  }
  return image;
}

TEST(Scenes, PlatesOfBackgroundsAreCovered) {
  const TempFolder folder;
  cv::imwrite((folder.path() / kCcpdName).string(), frame_with_plate(true),
              {cv::IMWRITE_JPEG_QUALITY, 97});
  const auto photos = scenes::list_photos(folder.path());
  ASSERT_EQ(photos.size(), 1U);
  ASSERT_EQ(photos[0].plates.size(), 1U);
  EXPECT_EQ(photo_size(photos[0]), cv::Size(640, 800));
  for (const bool flip : {false, true}) {
    const scenes::PhotoView view{0.8, 0.3, 0.4, flip};
    const cv::Size size(600, 700);
    const cv::Mat seen = read_photo(photos[0], view, size);
    cv::Mat expected;
    cv::resize(frame_with_plate(false)(photo_crop(view, {640, 800}, size)), expected, size);
    if (flip) cv::flip(expected, expected, 1);
    cv::Mat difference;
    cv::absdiff(seen, expected, difference);
    const Quad place = in_picture(photos[0].plates[0], view, {640, 800}, size);
    EXPECT_LT(place[0].x, place[1].x);
    const cv::Rect on_plate = scenes::pixels_of(place, size, 0);
    EXPECT_GT(on_plate.area(), 10000);
    double worst = 0;
    cv::minMaxLoc(difference(on_plate).reshape(1), nullptr, &worst);
    EXPECT_LT(worst, 40);  // it was 255 black and white
    EXPECT_LT(cv::mean(difference(on_plate))[0], 6);
  }
}

TEST(Scenes, PhotographsStandBehindMostScenesAndGetPlatesWhereTheyHadOne) {
  const TempFolder folder;
  cv::imwrite((folder.path() / kCcpdName).string(), frame_with_plate(true));
  const scenes::PlanOptions options{0.1, 0.4, scenes::list_photos(folder.path())};
  const scenes::Plates plates({Region::load("cn")}, false, nullptr);
  int photos = 0, replaced = 0;
  for (uint64_t i = 0; i < 300; ++i) {
    Rng rng(mix64(i));
    const scenes::Plan plan = draw_plan(options, plates, rng);
    if (!plan.photo) continue;
    ++photos;
    const Quad old =
        in_picture(options.photos[0].plates[0], plan.photo_view, {640, 800}, plan.size);
    const cv::Point2f middle = scenes::View(old, {440, 140})(0, 0);
    replaced += std::any_of(plan.plates.begin(), plan.plates.end(), [&](const auto& plate) {
      return cv::norm(plate.view(0, 0) - middle) < 0.01;
    });
  }
  EXPECT_NEAR(photos, 180, 40);
  EXPECT_GT(replaced, photos / 8);
  EXPECT_LT(replaced, photos * 3 / 4);
  EXPECT_NO_THROW(scenes_of("cn", {{"backgrounds", folder.path().string()}})->read({0, 1}));
}

TEST(Scenes, RealPlatesAreUsedAsTheyAre) {
  const TempFolder folder;
  cv::imwrite((folder.path() / "京A12345.png").string(),
              cv::Mat(48, 150, CV_8UC3, cv::Scalar(200, 30, 200)));
  const auto source =
      scenes_of("de", {{"plates", "crops:" + folder.path().string()}, {"empty", "0"}});
  int real = 0, seen = 0, all = 0;
  for (int64_t i = 0; i < 40; ++i) {
    const Frame frame = source->read({0, i});
    for (const FramePlate& plate : frame.plates) {
      ++all;
      if (plate.text != "京A12345") continue;
      ++real;
      cv::Mat flat;
      rectify(frame.image, *plate.corners, {64, 20}, flat);
      const cv::Scalar mean = cv::mean(flat);
      seen += mean[0] > 1.15 * mean[1] && mean[2] > 1.15 * mean[1] ? 1 : 0;
    }
  }
  EXPECT_GT(real, all / 4);
  EXPECT_LT(real, all * 3 / 4);
  EXPECT_GT(seen, real * 6 / 10);  // the others are seen by grey cameras, at night or dirty
}

TEST(Scenes, ErrorsNameWhatIsWrong) {
  const TempFolder folder;
  const std::string place = folder.path().string();
  const auto problem = [](const std::string& region, const Options& options) {
    return problem_of([&] { scenes_of(region, options); });
  };
  const auto says = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(says(problem("atlantis", {}), "unknown region pack 'atlantis'"));
  EXPECT_TRUE(says(problem("cn", {{"count", "0"}}), "count above 0"));
  EXPECT_TRUE(says(problem("cn", {{"empty", "1.5"}}), "from 0 to 1"));
  EXPECT_TRUE(says(problem("cn", {{"empty", "some"}}), "came 'some'"));
  EXPECT_TRUE(says(problem("cn", {{"plates", "pack:x"}}), "the kind 'pack'"));
  EXPECT_TRUE(says(problem("cn", {{"plates", place}}), "no pictures"));
  EXPECT_TRUE(says(problem("cn", {{"backgrounds", place + "/no"}}), "no such folder"));
  EXPECT_TRUE(says(problem("cn", {{"backgrounds", place}}), "no pictures"));
  // A picture that is none is named when it is read.
  std::ofstream(folder.path() / "broken.jpg") << "\xff\xd8 no more";
  const auto source = scenes_of("cn", {{"backgrounds", place}});
  std::string found;
  for (int64_t i = 0; i < 20 && found.empty(); ++i) {
    found = problem_of([&] { source->read({0, i}); });
  }
  EXPECT_TRUE(says(found, "broken.jpg")) << found;
  // Labels that nobody reads would leave plates without one.
  std::ofstream(folder.path() / "broken.txt") << "0 0.5 0.5 0.1 0.1\n";
  EXPECT_TRUE(says(problem("cn", {{"backgrounds", place}}), "broken.txt"));
  fs::remove(folder.path() / "broken.txt");
  fs::rename(folder.path() / "broken.jpg", folder.path() / "a-b-c-d-e-f-g.jpg");
  EXPECT_TRUE(says(problem("cn", {{"backgrounds", place}}), "CCPD name"));
}

}  // namespace
}  // namespace plateforge
