#include "data/ccpd.h"

#include <gtest/gtest.h>

#include <fstream>

#include "configs/error.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

// The example of the data set's own README.
const std::string kExample =
    "025-95_113-154&383_386&473-386&473_177&454_154&383_363&402-0_0_22_27_27_33_16-37-15.jpg";

std::string problem_of(const std::string& name) {
  try {
    parse_ccpd_name(name);
  } catch (const Error& problem) {
    return problem.what();
  }
  return "";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(CcpdName, ReadsAllSevenFields) {
  const auto name = parse_ccpd_name(kExample);
  EXPECT_DOUBLE_EQ(name.area, 0.025);
  EXPECT_EQ(name.horizontal_tilt, 95);
  EXPECT_EQ(name.vertical_tilt, 113);
  EXPECT_EQ(name.box, cv::Rect(154, 383, 232, 90));
  const Quad expected = {cv::Point2f(154, 383), {363, 402}, {386, 473}, {177, 454}};
  EXPECT_EQ(name.vertices, expected);
  EXPECT_EQ(name.text, "皖AY339S");
  EXPECT_EQ(name.brightness, 37);
  EXPECT_EQ(name.blur, 15);
}

TEST(CcpdName, ReadsGreenPlatesWithEightCharacters) {
  const auto name = parse_ccpd_name(
      "04-90_267-158&448_542&553-541&553_162&551_158&448_542&450-0_1_3_24_27_33_30_24-99-116.jpg");
  EXPECT_EQ(name.text, "皖BD03960");
  EXPECT_EQ(name.vertical_tilt, 267);
}

TEST(CcpdName, LongAreaDigits) {
  EXPECT_NEAR(parse_ccpd_name(replaced(kExample, "025-", "025173611111111112-")).area,
              0.025173611111111112, 1e-15);
}

// On tilted plates the first vertex may lie above the centroid; sorting would turn the plate.
TEST(CcpdName, KeepsTheOrderOfVertices) {
  const auto name = parse_ccpd_name(
      "025-38_47-154&383_386&473-386&400_177&473_154&454_363&383-0_0_22_27_27_33_16-37-15.jpg");
  const Quad expected = {cv::Point2f(154, 454), {363, 383}, {386, 400}, {177, 473}};
  EXPECT_EQ(name.vertices, expected);
}

TEST(CcpdName, TrailingOMeansNoCharacter) {
  const auto name = parse_ccpd_name(replaced(kExample, "_33_16-", "_33_34-"));
  EXPECT_EQ(name.text, "皖AY339");
}

// Index 24 is 'O' = nothing for the second character but '0' from the third on.
TEST(CcpdName, TablesDifferByPosition) {
  EXPECT_EQ(parse_ccpd_name(replaced(kExample, "-0_0_22", "-30_23_24")).text, "新Z0339S");
}

TEST(CcpdName, RefusesInOneSentence) {
  EXPECT_EQ(problem_of(replaced(kExample, "-15.jpg", ".jpg")),
            "CCPD name '" + replaced(kExample, "-15.jpg", ".jpg") +
                "': expected 7 fields separated by '-' "
                "(area-tilt-box-vertices-plate-brightness-blur), came 6");
  const auto expect = [](const std::string& from, const std::string& to, const std::string& part) {
    const auto problem = problem_of(replaced(kExample, from, to));
    EXPECT_NE(problem.find(part), std::string::npos)
        << "'" << problem << "' lacks '" << part << "'";
  };
  expect("95_113", "9x_113", "field 2 (tilt): expected a number, came '9x'");
  expect("95_113", "95", "field 2 (tilt): expected horizontal_vertical, came '95'");
  expect("025-", "O25-", "field 1 (area): expected digits, came 'O25'");
  expect("154&383_386&473", "154&383", "field 3 (box)");
  expect("154&383_386&473", "386&473_154&383", "field 3 (box): expected left-top before");
  expect("386&473_177", "386_177", "field 4 (vertices): expected x&y, came '386'");
  expect("_363&402", "", "field 4 (vertices): expected four corners x&y, came 3");
  expect("0_0_22_27_27_33_16", "34_0_22_27_27_33_16",
         "field 5 (plate): index 34 at position 0 is outside its table of 34");
  expect("0_0_22_27_27_33_16", "0_25_22_27_27_33_16", "index 25 at position 1");
  expect("0_0_22_27_27_33_16", "0_0_22_27_27_33_35", "index 35 at position 6");
  expect("0_0_22_27_27_33_16", "0_0_22_27_27_33", "expected 7 or 8 indices, came 6");
  expect("-37-", "--37-", "came 8");
  expect("-15.jpg", "-.jpg", "field 7 (blur): expected a number, came ''");
}

TEST(CcpdQuad, ThreeKindsOfCrop) {
  const auto name = parse_ccpd_name(replaced(kExample, "154&383_386&473-", "150&380_390&480-"));
  EXPECT_EQ(ccpd_quad(name, "rectify"), name.vertices);
  const Quad extents = {cv::Point2f(154, 383), {386, 383}, {386, 473}, {154, 473}};
  EXPECT_EQ(ccpd_quad(name, "extents"), extents);
  const Quad box = {cv::Point2f(150, 380), {390, 380}, {390, 480}, {150, 480}};
  EXPECT_EQ(ccpd_quad(name, "box"), box);
}

// A tree of empty files: listing reads names only.
class CcpdList : public ::testing::Test {
 protected:
  void add(const std::string& path) {
    fs::create_directories((root() / path).parent_path());
    std::ofstream(root() / path);
  }
  void SetUp() override {
    add("ccpd_base/" + kExample);
    add("ccpd_db/" + replaced(kExample, "025-", "026-"));
    add("ccpd_np/0001.jpg");
    add("ccpd_np/0002.jpg");
    add("splits/readme.txt");
  }
  const fs::path& root() const { return folder_.path(); }
  TempFolder folder_;
};

TEST_F(CcpdList, WalksFoldersAndCountsPicturesWithoutPlate) {
  const auto listing = list_ccpd(root(), {});
  ASSERT_EQ(listing.items.size(), 2u);
  EXPECT_EQ(listing.items[0].path, "ccpd_base/" + kExample);
  EXPECT_EQ(listing.unannotated.size(), 2u);
  EXPECT_TRUE(listing.violations.empty());
}

TEST_F(CcpdList, SubsetByFolderName) {
  EXPECT_EQ(list_ccpd(root(), {"", "db"}).items.size(), 1u);
  EXPECT_EQ(list_ccpd(root(), {"", "ccpd_base,db"}).items.size(), 2u);
  EXPECT_THROW(list_ccpd(root(), {"", "tilt"}), Error);
}

TEST_F(CcpdList, SplitFileNamesThePictures) {
  std::ofstream(root() / "splits/test.txt")
      << "ccpd_db/" << replaced(kExample, "025-", "026-") << "\r\nccpd_blur/" << kExample << "\n\n";
  const auto listing = list_ccpd(root(), {"splits/test.txt", ""});
  ASSERT_EQ(listing.items.size(), 2u);
  EXPECT_EQ(listing.items[1].path, "ccpd_blur/" + kExample);
  EXPECT_THROW(list_ccpd(root(), {"splits/none.txt", ""}), Error);
}

TEST_F(CcpdList, BadNamesAreViolationsNotSkipped) {
  add("ccpd_base/IMG_0001.jpg");
  const auto listing = list_ccpd(root(), {});
  EXPECT_EQ(listing.items.size(), 2u);
  ASSERT_EQ(listing.violations.size(), 1u);
  EXPECT_NE(listing.violations[0].message.find("came 1"), std::string::npos);
}

}  // namespace
}  // namespace plateforge
