#include "data/open.h"

#include <gtest/gtest.h>

#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "configs/error.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

const std::string kData = PLATEFORGE_ROOT "/tests/data/";

const Region& cn() {
  static const Region region = Region::load("cn");
  return region;
}

Mix open(const std::string& spec, const CropOptions& crop = {},
         std::vector<Violation>* violations = nullptr) {
  return open_mix(spec, cn(), crop, 1, violations);
}

template <class Action>
std::string problem_of(const Action& action) {
  try {
    action();
  } catch (const Error& problem) {
    return problem.what();
  }
  return "";
}

#define EXPECT_PROBLEM(action, part)                                           \
  do {                                                                         \
    const std::string problem = problem_of([&] { action; });                   \
    EXPECT_NE(problem.find(part), std::string::npos) << "'" << problem << "'"; \
    EXPECT_EQ(problem.find('\n'), std::string::npos) << "more than one line";  \
  } while (false)

void write_picture(const fs::path& file, const cv::Size& size = {100, 32}) {
  fs::create_directories(file.parent_path());
  cv::imwrite(file.string(), cv::Mat(size, CV_8UC3, cv::Scalar(200, 90, 10)));
}

TEST(ParseSpec, PartsOptionsAndWeights) {
  const auto parts = parse_spec("crops:a+b/c@2+ccpd:/d?subset=db,fn&split=x@0.5+csv:t.csv");
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].kind, "crops");
  EXPECT_EQ(parts[0].location, "a+b/c");
  EXPECT_EQ(parts[0].weight, 2);
  EXPECT_EQ(parts[1].location, "/d");
  EXPECT_EQ(spec_option(parts[1], "subset", ""), "db,fn");
  EXPECT_EQ(spec_option(parts[1], "split", ""), "x");
  EXPECT_EQ(parts[1].weight, 0.5);
  EXPECT_EQ(parts[2].weight, 1);
  EXPECT_EQ(parse_spec("crops:/home/me@work/plates")[0].location, "/home/me@work/plates");
}

TEST(ParseSpec, RefusesInOneSentence) {
  EXPECT_PROBLEM(parse_spec(""), "the data spec is empty");
  EXPECT_PROBLEM(parse_spec("folder"), "expected kind:location, known kinds: ccpd, crops, csv");
  EXPECT_PROBLEM(parse_spec("crop:a"), "unknown kind 'crop', known: ccpd, crops, csv");
  EXPECT_PROBLEM(parse_spec("crops:"), "nothing after 'crops:'");
  EXPECT_PROBLEM(parse_spec("crops:a@"), "expected a positive weight after '@', came ''");
  EXPECT_PROBLEM(parse_spec("crops:a@-1"), "expected a positive weight");
  EXPECT_PROBLEM(parse_spec("ccpd:a?subet=db"), "unknown option 'subet' of ccpd, known: split");
  EXPECT_PROBLEM(parse_spec("ccpd:a?subset"), "expected key=value after '?', came 'subset'");
}

TEST(Crops, LabelIsTheStemUpToTheFirstUnderscore) {
  TempFolder folder;
  write_picture(folder.path() / "京A12345_7_x.png");
  write_picture(folder.path() / "deeper" / "京B12345.png");
  std::ofstream(folder.path() / "notes.txt") << "no picture";
  const auto mix = open("crops:" + folder.path().string());
  ASSERT_EQ(mix.size(), 1);
  EXPECT_EQ(mix.parts[0].source->text(0), "京A12345");
  const Plate plate = mix.parts[0].source->read({3, 0});
  EXPECT_EQ(plate.text, "京A12345");
  EXPECT_EQ(plate.quad, whole_image({100, 32}));
}

TEST(Crops, SampleFolder) {
  const auto mix = open("crops:" + kData + "crops");
  EXPECT_EQ(mix.size(), 8);
  EXPECT_EQ(mix.real_size(), 8);
  for (int64_t i = 0; i < mix.size(); ++i) {
    EXPECT_FALSE(cn().check(mix.parts[0].source->read({0, i}).text));
  }
}

TEST(Crops, RefusesInOneSentence) {
  TempFolder folder;
  const std::string spec = "crops:" + folder.path().string();
  EXPECT_PROBLEM(open(spec), "the folder holds no pictures");
  EXPECT_PROBLEM(open(spec + "/none"), "no such folder");
  write_picture(folder.path() / "京A123?4.png");
  EXPECT_PROBLEM(open(spec), "'?' at position 6");
  write_picture(folder.path() / "京A1234%.png");
  EXPECT_PROBLEM(open(spec), "and 1 more");
  std::vector<Violation> violations;
  EXPECT_EQ(open(spec, {}, &violations).size(), 0);
  EXPECT_EQ(violations.size(), 2u);
}

TEST(Crops, ReadingABadPictureNamesIt) {
  TempFolder folder;
  write_picture(folder.path() / "京A12345.png", {1, 1});
  std::ofstream(folder.path() / "京A12346.jpg");
  const auto mix = open("crops:" + folder.path().string());
  EXPECT_PROBLEM(mix.parts[0].source->read({0, 0}), "京A12345.png is too small");
  EXPECT_PROBLEM(mix.parts[0].source->read({0, 1}), "京A12346.jpg is empty (0 bytes)");
  fs::remove(folder.path() / "京A12346.jpg");
  EXPECT_PROBLEM(mix.parts[0].source->read({0, 1}), "京A12346.jpg");
}

TEST(Csv, QuotesLineEndsCornersAndRelativePaths) {
  TempFolder folder;
  write_picture(folder.path() / "in" / "a, b.png");
  write_picture(folder.path() / "in" / "c\"d.png");
  std::ofstream(folder.path() / "t.csv", std::ios::binary)
      << "\xef\xbb\xbfplate_text,image_path,country\r\n京A12345,\"in/a, b.png\",cn\r\n\r\n"
      << "京A54321,\"in/c\"\"d.png\",\"c\nn\"";
  const auto mix = open("csv:" + (folder.path() / "t.csv").string());
  ASSERT_EQ(mix.size(), 2);
  EXPECT_EQ(mix.parts[0].source->read({0, 0}).text, "京A12345");
  EXPECT_EQ(mix.parts[0].source->read({0, 1}).text, "京A54321");
  EXPECT_EQ(csv_line({"", "a,b", "c\"d"}), ",\"a,b\",\"c\"\"d\"");

  std::ofstream(folder.path() / "q.csv")
      << "image_path,plate_text,lt_x,lt_y,rt_x,rt_y,rb_x,rb_y,lb_x,lb_y\n"
      << "\"in/a, b.png\",京A12345,40,10,80.5,10,80,25,40,25\n";
  const auto corners = open("csv:" + (folder.path() / "q.csv").string());
  const Plate plate = corners.parts[0].source->read({0, 0});
  EXPECT_LT(plate.image.cols, 100);  // the surroundings only
  EXPECT_FLOAT_EQ(plate.quad[1].x - plate.quad[0].x, 40.5F);
}

TEST(Csv, RefusesInOneSentence) {
  TempFolder folder;
  const auto file = (folder.path() / "t.csv").string();
  const auto with = [&](const std::string& text) {
    std::ofstream(file, std::ios::trunc) << text;
    open("csv:" + file);
  };
  EXPECT_PROBLEM(with(""), "is empty");
  EXPECT_PROBLEM(with("image,plate_text\na,b\n"), "expected a header with the column 'image_path'");
  EXPECT_PROBLEM(with("image_path,plate_text\n"), "holds a header but no plates");
  EXPECT_PROBLEM(with("image_path,plate_text\na\n"), "line 2: expected 2 fields");
  EXPECT_PROBLEM(with("image_path,plate_text\n\"a,b\n"), "line 2: a quoted field never ends");
  EXPECT_PROBLEM(with("image_path,plate_text\na,\n"), "the label is empty");
  EXPECT_PROBLEM(open("csv:" + folder.path().string()), "folder");
}

TEST(Ccpd, ReadsTheSurroundingsOfThePlate) {
  const auto mix = open("ccpd:" + kData + "ccpd");
  ASSERT_EQ(mix.size(), 14);
  const Plate plate = mix.parts[0].source->read({0, 0});
  EXPECT_LT(plate.image.cols, 720);
  EXPECT_LT(plate.image.rows, 300);
  EXPECT_FALSE(cn().check(plate.text));
  for (const auto& corner : plate.quad) {
    EXPECT_TRUE(cv::Rect2f({0, 0}, cv::Size2f(plate.image.size())).contains(corner));
  }
  // A margin widens the quad and keeps its centre.
  const Plate wide = open("ccpd:" + kData + "ccpd", {"extents", 0.1}).parts[0].source->read({0, 0});
  const Plate tight = open("ccpd:" + kData + "ccpd", {"extents"}).parts[0].source->read({0, 0});
  EXPECT_NEAR((wide.quad[1].x - wide.quad[0].x) / (tight.quad[1].x - tight.quad[0].x), 1.2, 1e-5);
}

TEST(Ccpd, VerticesOutsideThePicture) {
  TempFolder folder;
  const std::string name =
      "025-95_113-154&383_386&473-386&473_177&454_154&383_963&402-0_0_22_27_27_33_16-37-15.jpg";
  for (const auto& entry : fs::directory_iterator(kData + "ccpd")) {
    fs::copy_file(entry.path(), folder.path() / name, fs::copy_options::skip_existing);
  }
  const auto mix = open("ccpd:" + folder.path().string());
  EXPECT_PROBLEM(mix.parts[0].source->read({0, 0}),
                 "the corner (963, 402) lies outside the picture of 720 x 1160 pixels");
}

TEST(Ccpd, MalformedNameStopsOpening) {
  TempFolder folder;
  std::ofstream(folder.path() / "025-95_113.jpg");
  EXPECT_PROBLEM(open("ccpd:" + folder.path().string()), "expected 7 fields");
}

}  // namespace
}  // namespace plateforge
