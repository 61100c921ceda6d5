#include "data/verify.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <set>

#include "configs/error.h"
#include "data/concat.h"
#include "data/convert.h"
#include "data/image.h"
#include "data/picture_hash.h"
#include "data/split.h"
#include "data/stats.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

const std::string kData = PLATEFORGE_ROOT "/tests/data/";

const Region& cn() {
  static const Region region = Region::load("cn");
  return region;
}

Mix open(const std::string& spec) { return open_mix(spec, cn(), {}, 1); }

std::map<std::string, int64_t> kinds_of(const std::vector<Violation>& violations) {
  std::map<std::string, int64_t> kinds;
  for (const auto& violation : violations) ++kinds[violation.kind];
  return kinds;
}

// A copy of the sample crops to damage.
class Verify : public ::testing::Test {
 protected:
  Verify() { fs::copy(kData + "crops", crops()); }
  fs::path crops() const { return folder_.path() / "crops"; }
  std::string spec() const { return "crops:" + crops().string(); }
  fs::path any_crop() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(crops())) files.push_back(entry.path());
    return *std::min_element(files.begin(), files.end());
  }
  TempFolder folder_;
};

TEST_F(Verify, GoodPlatesHaveNoViolations) {
  EXPECT_TRUE(verify_plates(open(spec()), cn(), {}).empty());
  EXPECT_TRUE(verify_plates(open("ccpd:" + kData + "ccpd"), cn(), {}).empty());
  EXPECT_TRUE(verify_apart(open(spec()), open("ccpd:" + kData + "ccpd"), {}).empty());
}

TEST_F(Verify, FindsEverythingThatIsWrong) {
  const auto add = [&](const std::string& name) { fs::copy_file(any_crop(), crops() / name); };
  cv::Mat noise(30, 90, CV_8UC3);
  const auto add_noise = [&](const std::string& name) {
    cv::RNG(std::hash<std::string>{}(name)).fill(noise, cv::RNG::UNIFORM, 0, 255);
    cv::imwrite((crops() / name).string(), noise);
  };
  std::ofstream(crops() / "京A00001.jpg");  // empty file
  cv::imwrite((crops() / "京A00002.png").string(), cv::Mat(1, 1, CV_8UC3, cv::Scalar::all(0)));
  add_noise("京0A0003.png");  // digit where a letter belongs
  add_noise("京A0000.png");   // too short
  add_noise("京A11111.png");  // needs 11 steps
  add("京A00006_copy.jpg");   // same pixels as another
  const auto violations = verify_plates(open(spec()), cn(), {.time_steps = 10});
  const std::map<std::string, int64_t> expected = {
      {"picture", 2}, {"grammar", 2}, {"steps", 1}, {"duplicate", 1}};
  EXPECT_EQ(kinds_of(violations), expected);
  for (const auto& [kind, source, message] : violations) {
    EXPECT_NE(message.find(fs::path(source).filename().string()), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    if (kind == "grammar" && source.find("京0A0003") != std::string::npos) {
      EXPECT_NE(message.find("position 2"), std::string::npos) << message;
      EXPECT_NE(message.find("'0'"), std::string::npos) << message;
    }
  }
  // The same on one thread.
  const auto again = verify_plates(open(spec()), cn(), {.time_steps = 10, .threads = 1});
  ASSERT_EQ(again.size(), violations.size());
  for (size_t i = 0; i < again.size(); ++i) EXPECT_EQ(again[i].message, violations[i].message);
}

TEST_F(Verify, SamePlateAndNearSamePictureInTrainAndVal) {
  const fs::path val = folder_.path() / "val";
  fs::create_directory(val);
  // The same picture, recompressed, brighter and smaller, under another label ...
  cv::Mat copy = read_image(any_crop());
  copy.convertTo(copy, -1, 0.9, 15);
  cv::resize(copy, copy, {}, 0.8, 0.8, cv::INTER_AREA);
  cv::imwrite((val / "京A12345.jpg").string(), copy, {cv::IMWRITE_JPEG_QUALITY, 70});
  // ... and another picture of a plate that train has.
  const std::string text = open(spec()).parts[0].source->text(3);
  cv::Mat noise(30, 90, CV_8UC3);
  cv::RNG(3).fill(noise, cv::RNG::UNIFORM, 0, 255);
  cv::imwrite((val / (text + ".png")).string(), noise);
  const auto violations = verify_apart(open("crops:" + val.string()), open(spec()), {});
  ASSERT_EQ(violations.size(), 2u);
  const auto kinds = kinds_of(violations);
  EXPECT_EQ(kinds.at("near"), 1);
  EXPECT_EQ(kinds.at("leak"), 1);
}

TEST(PictureHash, TellsPlatesApart) {
  const auto plates = concat(open("crops:" + kData + "crops"));
  std::vector<PictureHash> hashes;
  for (int64_t i = 0; i < plates->size(); ++i) hashes.push_back(picture_hash(plates->read({0, i})));
  for (size_t i = 0; i < hashes.size(); ++i) {
    for (size_t k = 0; k < i; ++k) EXPECT_GT(hash_distance(hashes[i], hashes[k]), 2 * kNearPicture);
  }
}

TEST(Concat, CountsThrough) {
  const auto mix = open("crops:" + kData + "crops+ccpd:" + kData + "ccpd");
  const auto all = concat(mix);
  ASSERT_EQ(all->size(), 22);
  EXPECT_EQ(all->text(0), mix.parts[0].source->text(0));
  EXPECT_EQ(all->text(8), mix.parts[1].source->text(0));
  EXPECT_EQ(all->read({0, 10}).text, mix.parts[1].source->text(2));
  EXPECT_TRUE(all->is_real());
  const auto some = subset(all, {9, 0});
  EXPECT_EQ(some->size(), 2);
  EXPECT_EQ(some->text(0), mix.parts[1].source->text(1));
}

TEST(Stats, CountsCharactersLengthsLayoutsAndSizes) {
  TempFolder folder;
  for (const char* name : {"京A12345", "京B11111", "沪AD12345", "沪A1"}) {
    cv::imwrite((folder.path() / (std::string(name) + ".png")).string(),
                cv::Mat(20, 100, CV_8UC3, cv::Scalar::all(9)));
  }
  const auto stats = data_stats(open("crops:" + folder.path().string()), cn(), true);
  EXPECT_EQ(stats["samples"], 4);
  EXPECT_EQ(stats["characters"]["1"], 8);
  EXPECT_EQ(stats["characters"]["京"], 2);
  EXPECT_EQ(stats["region_characters"]["沪"], 2);
  EXPECT_EQ(stats["lengths"]["7"], 2);
  EXPECT_EQ(stats["layouts"]["none"], 1);
  EXPECT_EQ(stats["sizes"]["width"]["p50"], 100);
  EXPECT_EQ(stats["sizes"]["aspect"]["p95"], 5);
  const auto table = stats_table(stats);
  EXPECT_NE(table.find("4 plates"), std::string::npos);
  EXPECT_NE(table.find("京 2 (50.0 %)"), std::string::npos) << table;
}

TEST(Convert, CsvKeepsPicturesAndCorners) {
  TempFolder folder;
  const auto mix = open("ccpd:" + kData + "ccpd");
  write_csv(mix, folder.path() / "out");
  const auto again = open("csv:" + (folder.path() / "out/plates.csv").string()).parts[0].source;
  ASSERT_EQ(again->size(), mix.size());
  for (int64_t i = 0; i < mix.size(); ++i) {
    const Plate a = mix.parts[0].source->read({0, i}), b = again->read({0, i});
    EXPECT_EQ(a.text, b.text);
    EXPECT_EQ(a.quad, b.quad);
    EXPECT_EQ(cv::norm(a.image, b.image, cv::NORM_INF), 0);
  }
  EXPECT_THROW(write_csv(mix, folder.path() / "out"), Error) << "wrote over existing files";
}

TEST(Convert, CropsAreThePlateAlone) {
  TempFolder folder;
  const auto mix = open("ccpd:" + kData + "ccpd+crops:" + kData + "crops");
  write_crops(mix, folder.path() / "out");
  const auto again = open("crops:" + (folder.path() / "out").string());
  EXPECT_EQ(again.size(), 22);
  std::multiset<std::string> texts, expected;
  const auto all = concat(mix);
  for (int64_t i = 0; i < again.size(); ++i) {
    texts.insert(again.parts[0].source->text(i));
    expected.insert(all->text(i));
  }
  EXPECT_EQ(texts, expected);
}

}  // namespace
}  // namespace plateforge
