#include "data/pack.h"

#include <gtest/gtest.h>

#include <fstream>
#include <opencv2/imgproc.hpp>
#include <set>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "data/augment.h"
#include "data/geometry.h"
#include "data/split.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

const std::string kData = PLATEFORGE_ROOT "/tests/data/";

const Region& cn() {
  static const Region region = Region::load("cn");
  return region;
}

PlateSourcePtr open(const std::string& spec) { return open_mix(spec, cn(), {}, 1).parts[0].source; }

TEST(Pack, HoldsTheSamePlates) {
  TempFolder folder;
  const auto file = folder.path() / "a.pack";
  const auto frames = open("ccpd:" + kData + "ccpd");
  write_pack(*frames, file, {});
  const auto pack = open("pack:" + file.string());
  ASSERT_EQ(pack->size(), frames->size());
  EXPECT_TRUE(pack->is_real());
  for (int64_t i = 0; i < pack->size(); ++i) {
    const Plate plate = pack->read({0, i}), frame = frames->read({0, i});
    EXPECT_EQ(plate.text, frame.text);
    EXPECT_EQ(plate.source, frame.source);
    EXPECT_NEAR(aspect_of(plate), aspect_of(frame), 1e-5);
    EXPECT_EQ(plate.image.size(), cv::Size(160, 48));
    EXPECT_FLOAT_EQ(plate.quad[0].x, 16);
    EXPECT_FLOAT_EQ(plate.quad[2].x, 144);
    cv::Mat from_pack, from_frame;
    rectify(plate.image, plate.quad, {94, 24}, from_pack);
    rectify(frame.image, frame.quad, {94, 24}, from_frame);
    // Resampled twice instead of once: the same picture, slightly softer.
    EXPECT_LT(cv::norm(from_pack, from_frame, cv::NORM_L1) / double(from_frame.total() * 3), 6);
  }
}

TEST(Pack, SurroundingsComeFromTheFrame) {
  TempFolder folder;
  const auto frames = open("ccpd:" + kData + "ccpd");
  write_pack(*frames, folder.path() / "a.pack", {{94, 24}, 0.0});
  write_pack(*frames, folder.path() / "b.pack", {{188, 48}, 0.5});
  const Plate tight = open_pack(folder.path() / "a.pack")->read({0, 0});
  const Plate wide = open_pack(folder.path() / "b.pack")->read({0, 0});
  cv::Mat inner;
  rectify(wide.image, wide.quad, {94, 24}, inner);
  EXPECT_LT(cv::norm(inner, tight.image, cv::NORM_L1) / double(inner.total() * 3), 5);
}

TEST(Pack, RefusesDamagedFiles) {
  TempFolder folder;
  const auto file = folder.path() / "a.pack";
  write_pack(*open("crops:" + kData + "crops"), file, {});
  const std::string bytes = read_file(file);
  const auto problem_with = [&](const std::string& content) -> std::string {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
    try {
      open_pack(file);
    } catch (const Error& problem) {
      return problem.what();
    }
    return "";
  };
  EXPECT_NE(problem_with("").find("is not a pack"), std::string::npos);
  EXPECT_NE(problem_with("something else altogether").find("is not a pack"), std::string::npos);
  EXPECT_NE(problem_with(bytes.substr(0, 100)).find("is cut off"), std::string::npos);
  EXPECT_NE(problem_with(bytes.substr(0, bytes.size() - 1)).find("is damaged"), std::string::npos);
  std::string header = bytes;
  header[20] = '\x01';
  EXPECT_NE(problem_with(header).find("damaged header"), std::string::npos);
  EXPECT_EQ(problem_with(bytes), "");
  EXPECT_THROW(open_pack(folder.path() / "none.pack"), Error);
}

TEST(Cache, IsRebuiltWhenSomethingChanged) {
  TempFolder folder;
  fs::copy(kData + "crops", folder.path() / "crops");
  const auto cache = folder.path() / "cache";
  const std::string spec = "crops:" + (folder.path() / "crops").string();
  const auto packs = [&](const PackOptions& options) {
    const auto source = cached(open(spec), options, cache);
    EXPECT_EQ(source->size(), open(spec)->size());
    const auto files = fs::directory_iterator(cache);
    return std::distance(begin(files), end(files));
  };
  EXPECT_EQ(packs({}), 1);
  const auto pack = fs::directory_iterator(cache)->path();
  const auto written = fs::last_write_time(pack);
  EXPECT_EQ(packs({}), 1);
  EXPECT_EQ(fs::last_write_time(pack), written) << "written again";
  std::ofstream(pack, std::ios::trunc) << "damaged";
  EXPECT_EQ(packs({}), 1);
  EXPECT_GT(fs::file_size(pack), 1000u) << "not repaired";
  EXPECT_EQ(packs({{128, 40}}), 2);
  const auto picture = fs::directory_iterator(folder.path() / "crops")->path();
  fs::last_write_time(picture, fs::last_write_time(picture) + std::chrono::seconds(2));
  EXPECT_EQ(packs({}), 3);
  fs::remove(picture);
  EXPECT_EQ(packs({}), 4);
}

TEST(Cache, ADamagedPictureStopsThePackAndLeavesNothing) {
  TempFolder folder;
  fs::copy(kData + "crops", folder.path() / "crops");
  std::ofstream(folder.path() / "crops" / "京A00000.jpg") << "";
  const std::string spec = "crops:" + (folder.path() / "crops").string();
  EXPECT_THROW(cached(open(spec), {}, folder.path() / "cache"), Error);
  EXPECT_TRUE(fs::is_empty(folder.path() / "cache"));
}

// A source of labels alone, five plates per text.
class Labels final : public PlateSource {
 public:
  Labels(int64_t count, bool real) : count_(count), real_(real) {}
  int64_t size() const override { return count_; }
  std::string text(int64_t index) const override { return std::to_string(index / 5); }
  bool is_real() const override { return real_; }
  Plate read(const SampleKey& key) const override { return {{}, {}, 0, text(key.index), ""}; }

 private:
  int64_t count_;
  bool real_;
};

std::multiset<std::string> texts_of(const Mix& mix) {
  std::multiset<std::string> texts;
  for (const auto& part : mix.parts) {
    for (int64_t i = 0; i < part.source->size(); ++i) texts.insert(part.source->text(i));
  }
  return texts;
}

TEST(SplitMix, HoldsOutWholeTextsOfRealPlates) {
  Mix mix;
  mix.parts.push_back({std::make_shared<Labels>(5000, true), 1, "a"});
  mix.parts.push_back({std::make_shared<Labels>(2500, true), 3, "b"});
  mix.parts.push_back({std::make_shared<Labels>(100, false), 2, "generated"});
  const auto split = split_mix(mix, 0.1, 7);
  const auto val = texts_of(split.val);
  EXPECT_NEAR(static_cast<double>(std::set(val.begin(), val.end()).size()), 100, 30);
  EXPECT_EQ(split.val.size() + split.train.size(), mix.size());
  EXPECT_EQ(split.val.real_size(), split.val.size());
  for (const auto& part : split.train.parts) {
    if (!part.source->is_real()) continue;
    for (int64_t i = 0; i < part.source->size(); ++i) {
      EXPECT_FALSE(val.contains(part.source->text(i)));
    }
  }
  EXPECT_EQ(split.train.parts.back().source->size(), 100);
  EXPECT_EQ(split.train.parts[1].weight, 3);
  EXPECT_EQ(texts_of(split_mix(mix, 0.1, 7).val), val);
  EXPECT_NE(texts_of(split_mix(mix, 0.1, 8).val), val);
  EXPECT_EQ(split_mix(mix, 0, 1).val.size(), 0);
}

TEST(Subset, KeepsNamesAndHasItsOwnFingerprint) {
  const auto crops = open("crops:" + kData + "crops");
  const auto some = subset(crops, {5, 2});
  EXPECT_EQ(some->size(), 2);
  EXPECT_EQ(some->text(1), crops->text(2));
  EXPECT_EQ(some->name(0), crops->name(5));
  EXPECT_NE(some->fingerprint(), crops->fingerprint());
  EXPECT_NE(some->fingerprint(), subset(crops, {2, 5})->fingerprint());
  EXPECT_EQ(some->fingerprint(), subset(crops, {5, 2})->fingerprint());
}

}  // namespace
}  // namespace plateforge
