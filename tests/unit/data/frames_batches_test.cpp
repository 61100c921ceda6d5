// A detector's batches.
#include "data/frames/frame_batches.h"

#include <ATen/Functions.h>

#include "configs/error.h"
#include "tests/unit/data/frames.h"

namespace plateforge {
namespace {

const LoaderOptions kOptions{.batch_size = 3, .workers = 0, .size = {128, 128}};

AugmentConfig busy() {
  AugmentConfig augment;
  augment.ops = {{.op = "brightness", .probability = 0.7},
                 {.op = "night", .probability = 0.3},
                 {.op = "motion_blur", .probability = 0.3},
                 {.op = "jpeg", .probability = 0.3}};
  return augment;
}

Loader loader_of(FrameMix mix, const LoaderOptions& options, const FramesConfig& frames = {},
                 const AugmentConfig& augment = {}) {
  return {make_frame_batches(std::move(mix), cn(), frames, augment, options), options};
}

std::vector<Batch> take(Loader& loader, int64_t count) {
  std::vector<Batch> batches;
  for (int64_t i = 0; i < count; ++i) {
    auto batch = loader.next();
    if (!batch) break;
    batches.push_back(std::move(*batch));
  }
  return batches;
}

void expect_same(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(at::equal(a[i].images, b[i].images)) << "batch " << i;
    EXPECT_TRUE(at::equal(a[i].targets, b[i].targets)) << "batch " << i;
    EXPECT_EQ(a[i].sources, b[i].sources) << "batch " << i;
  }
}

TEST(FrameBatches, SameForAnyNumberOfWorkersAndAfterASeek) {
  FramesConfig frames;
  frames.mosaic = 0.3;
  auto options = kOptions;
  auto alone = loader_of(open_all(kCcpdFrames), options, frames, busy());
  const auto expected = take(alone, 6);
  for (const int64_t workers : {1, 4}) {
    options.workers = workers;
    auto loader = loader_of(open_all(kCcpdFrames), options, frames, busy());
    expect_same(expected, take(loader, 6));
    loader.seek(4);
    expect_same({expected.begin() + 4, expected.end()}, take(loader, 2));
  }
  options.seed = 2;
  auto other = loader_of(open_all(kCcpdFrames), options, frames, busy());
  EXPECT_FALSE(at::equal(take(other, 1)[0].images, expected[0].images));
}

TEST(FrameBatches, AnotherViewEveryEpoch) {
  const auto drawn = std::make_shared<DrawnFrames>(
      gradient({300, 200}), std::vector{plate_with(quad_of({100, 100, 60, 20}))});
  FrameMix mix;
  mix.parts.push_back({drawn, 1, "drawn"});
  auto loader = loader_of(mix, kOptions);
  const auto batch = *loader.next();
  EXPECT_FALSE(at::equal(batch.images[0], batch.images[1]));
  EXPECT_FALSE(at::equal(batch.targets[1], batch.targets[2]));
  EXPECT_EQ(loader.batches_per_epoch(), 1);
}

TEST(FrameBatches, InOrderEachFrameOnceWithItsLetterbox) {
  auto options = kOptions;
  options.shuffle = false;
  options.batch_size = 4;
  const auto mix = open_all(kCcpdFrames);
  auto loader = loader_of(mix, options);
  EXPECT_EQ(loader.batches_per_epoch(), 4);
  const auto batches = take(loader, 100);
  ASSERT_EQ(batches.size(), 4u);
  EXPECT_EQ(batches[3].size(), 2);
  int64_t index = 0;
  for (const auto& batch : batches) {
    ASSERT_EQ(static_cast<int64_t>(batch.letterboxes.size()), batch.size());
    for (int64_t i = 0; i < batch.size(); ++i, ++index) {
      const auto annotated = mix.parts[0].source->plates(index)[0];
      const auto& box = batch.letterboxes[static_cast<size_t>(i)];
      EXPECT_EQ(box.height, 1160);
      const auto row = batch.targets[i][0];
      EXPECT_NEAR(box.to_picture(row[0].item<double>()), annotated.box.x, 1e-3);
      EXPECT_NEAR(box.to_picture(row[3].item<double>()), annotated.box.br().y, 1e-3);
      EXPECT_NEAR(box.to_picture(row[10].item<double>()), (*annotated.corners)[3].x, 1e-3);
      EXPECT_EQ(row[12].item<float>(), kBoxAndCorners);
    }
  }
  EXPECT_EQ(index, 14);
}

TEST(FrameBatches, TargetLayout) {
  const Quad corners = {cv::Point2f{10, 20}, {50, 22}, {49, 40}, {9, 38}};
  FramePlate box{.box = {100, 10, 20, 8}, .corners = std::nullopt, .text = ""};
  FramePlate ignored{.box = {60, 60, 30, 10}, .corners = std::nullopt, .text = "", .ignore = true};
  const cv::Mat image = gradient({128, 128});
  FrameMix mix;
  mix.parts.push_back(
      {std::make_shared<DrawnFrames>(image, std::vector{plate_with(corners), box, ignored}), 1,
       "three"});
  mix.parts.push_back({std::make_shared<DrawnFrames>(image, std::vector<FramePlate>()), 1, "none"});
  auto options = kOptions;
  options.shuffle = false;
  auto loader = loader_of(mix, options);
  const auto batch = *loader.next();
  EXPECT_EQ(batch.images.sizes(), (std::vector<int64_t>{2, 3, 128, 128}));
  EXPECT_TRUE(batch.images.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(batch.images[0][2][64][32].item<int>(), 255 * 32 / 128);
  ASSERT_EQ(batch.targets.sizes(), (std::vector<int64_t>{2, 3, kPlateValues}));
  EXPECT_EQ(batch.targets.scalar_type(), at::kFloat);
  const auto expected = at::tensor({9.F,
                                    20.F,
                                    50.F,
                                    40.F,
                                    10.F,
                                    20.F,
                                    50.F,
                                    22.F,
                                    49.F,
                                    40.F,
                                    9.F,
                                    38.F,
                                    float(kBoxAndCorners),  //
                                    100.F,
                                    10.F,
                                    120.F,
                                    18.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    float(kBoxOnly),  //
                                    60.F,
                                    60.F,
                                    90.F,
                                    70.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    0.F,
                                    float(kIgnoredPlate)})
                            .reshape({3, 13});
  EXPECT_TRUE(at::equal(batch.targets[0], expected)) << batch.targets[0];
  EXPECT_EQ(batch.targets[1].count_nonzero().item<int64_t>(), 0);
  EXPECT_EQ(batch.target_lengths[0].item<int64_t>(), 3);
  EXPECT_EQ(batch.target_lengths[1].item<int64_t>(), 0);
  EXPECT_TRUE(batch.texts.empty());
  EXPECT_EQ(batch.sources[1], "drawn 0");
}

TEST(FrameBatches, ABrokenFrameIsAnErrorNamingIt) {
  TempFolder folder;
  write_text(folder.path() / "a.jpg", "no picture");
  write_text(folder.path() / "a.txt", "");
  auto loader = loader_of(open_all("yolo:" + folder.path().string()), kOptions);
  for (int i = 0; i < 2; ++i) {
    EXPECT_NE(problem_of([&] { loader.next(); }).find("a.jpg cannot be decoded"),
              std::string::npos);
  }
}

TEST(FrameBatches, NoFrames) {
  EXPECT_NE(problem_of([&] { loader_of({}, kOptions); }).find("there are no frames to load"),
            std::string::npos);
}

}  // namespace
}  // namespace plateforge
