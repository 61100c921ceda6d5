// What annotations say of frames, and what happens to bad ones.
#include "configs/error.h"
#include "data/frames/listing.h"
#include "data/frames/stats.h"
#include "data/frames/verify.h"
#include "tests/unit/data/frames.h"

namespace plateforge {
namespace {

const Quad kTilted = {cv::Point2f{20, 30}, {120, 50}, {118, 80}, {18, 60}};

#define EXPECT_PROBLEM(action, part)                                           \
  do {                                                                         \
    const std::string problem = problem_of([&] { action; });                   \
    EXPECT_NE(problem.find(part), std::string::npos) << "'" << problem << "'"; \
    EXPECT_EQ(problem.find('\n'), std::string::npos) << "more than one line";  \
  } while (false)

// YOLO data of one picture of 200 x 100 with these labels.
class Yolo {
 public:
  explicit Yolo(const std::string& labels) {
    write_picture(folder_.path() / "images/a.png");
    write_text(folder_.path() / "labels/a.txt", labels);
  }
  std::string spec(const std::string& options = "") const {
    return "yolo:" + folder_.path().string() + options;
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  TempFolder folder_;
};

// The corners of a picture of 200 x 100 as a line of YOLO-pose.
std::string pose(const Quad& corners, bool flags = false) {
  std::string line = "0 0.5 0.5 0.1 0.1";
  for (const auto& corner : corners) {
    line += " " + std::to_string(corner.x / 200) + " " + std::to_string(corner.y / 100);
    if (flags) line += " 2";
  }
  return line + "\n";
}

TEST(CornerOrder, AnyOrderOfATiltedPlate) {
  const std::array<std::array<size_t, 4>, 6> orders = {
      {{0, 1, 2, 3}, {2, 3, 0, 1}, {3, 2, 1, 0}, {0, 2, 1, 3}, {1, 0, 3, 2}, {1, 2, 3, 0}}};
  for (const auto& order : orders) {
    Quad shuffled;
    for (size_t i = 0; i < 4; ++i) shuffled[i] = kTilted[order[i]];
    EXPECT_EQ(in_order(shuffled), kTilted);
  }
}

TEST(CornerOrder, SteepPlatesKeepTheirLongSides) {
  for (const double degrees : {-70.0, -45.0, 45.0, 70.0}) {
    const double c = std::cos(degrees * CV_PI / 180), s = std::sin(degrees * CV_PI / 180);
    Quad turned;
    for (size_t i = 0; i < 4; ++i) {
      const double x = i == 1 || i == 2 ? 40 : 0, y = i >= 2 ? 10 : 0;
      turned[i] = cv::Point2d(100 + c * x - s * y, 100 + s * x + c * y);
    }
    EXPECT_EQ(in_order(turned), turned) << degrees;
    EXPECT_EQ(in_order({turned[2], turned[3], turned[0], turned[1]}), turned) << degrees;
  }
}

TEST(CornerOrder, RefusesWhatIsNoQuadrilateral) {
  EXPECT_FALSE(in_order({cv::Point2f{0, 0}, {10, 0}, {5, 8}, {5, 3}}));  // one inside
  EXPECT_FALSE(in_order({cv::Point2f{0, 0}, {5, 5}, {10, 10}, {2, 2}}));
  EXPECT_FALSE(in_order({cv::Point2f{1, 1}, {1, 1}, {1, 1}, {1, 1}}));
}

TEST(CcpdFrames, BoxIsTheExtentsOfTheVertices) {
  const auto mix = open_all(kCcpdFrames);
  ASSERT_EQ(mix.size(), 14);
  EXPECT_EQ(mix.real_size(), 14);
  const auto& source = *mix.parts[0].source;
  for (int64_t i = 0; i < source.size(); ++i) {
    const auto plates = source.plates(i);
    ASSERT_EQ(plates.size(), 1u);
    const auto name = parse_ccpd_name(fs::path(source.name(i)).filename().string());
    EXPECT_EQ(*plates[0].corners, name.vertices);
    EXPECT_EQ(plates[0].box, extents(name.vertices));
    EXPECT_EQ(plates[0].text, name.text);
    EXPECT_FALSE(plates[0].ignore);
  }
  const Frame frame = source.read({0, 0});
  EXPECT_EQ(frame.image.size(), cv::Size(720, 1160));
  EXPECT_EQ(frame.region, cv::Rect(0, 0, 720, 1160));
}

TEST(CcpdFrames, PicturesWithoutPlatesAreBackground) {
  TempFolder folder;
  write_picture(folder.path() / "ccpd_np/1.jpg");
  const auto sample = *fs::directory_iterator(PLATEFORGE_ROOT "/tests/data/ccpd");
  fs::create_directories(folder.path() / "ccpd_base");
  fs::copy(sample.path(), folder.path() / "ccpd_base");
  const auto mix = open_all("ccpd:" + folder.path().string());
  ASSERT_EQ(mix.size(), 2);
  EXPECT_EQ(mix.parts[0].source->plates(0).size(), 1u);
  EXPECT_TRUE(mix.parts[0].source->plates(1).empty());
  EXPECT_TRUE(mix.parts[0].source->read({0, 1}).plates.empty());
}

TEST(YoloFrames, BoxesInShares) {
  const Yolo data("0 0.5 0.5 0.2 0.4\n\n3 0.25 0.3 0.1 0.1\n");
  const auto mix = open_all(data.spec());
  const auto plates = mix.parts[0].source->plates(0);
  ASSERT_EQ(plates.size(), 2u);
  EXPECT_FALSE(plates[0].corners);
  EXPECT_NEAR(plates[0].box.x, 80, 1e-3);
  EXPECT_NEAR(plates[0].box.y, 30, 1e-3);
  EXPECT_NEAR(plates[0].box.width, 40, 1e-3);
  EXPECT_NEAR(plates[0].box.height, 40, 1e-3);
  EXPECT_EQ(mix.parts[0].source->read({0, 0}).plates.size(), 2u);
  EXPECT_EQ(open_all(data.spec("?class=3")).parts[0].source->plates(0).size(), 1u);
}

TEST(YoloFrames, CornersAndTheirFlags) {
  for (const bool flags : {false, true}) {
    const Yolo data(pose(kTilted, flags));
    const auto plates = open_all(data.spec("?corners=refuse")).parts[0].source->plates(0);
    ASSERT_TRUE(plates.at(0).corners);
    expect_near(*plates[0].corners, kTilted, 1e-3);
    EXPECT_NEAR(plates[0].box.width, 102, 1e-2);  // their extents, not the box of the line
  }
  const Yolo hidden("0 0.5 0.5 0.1 0.1 0.4 0.4 0 0.6 0.4 2 0.6 0.6 2 0.4 0.6 2");
  const auto plates = open_all(hidden.spec()).parts[0].source->plates(0);
  EXPECT_FALSE(plates.at(0).corners);
  EXPECT_NEAR(plates[0].box.width, 20, 1e-3);
}

TEST(YoloFrames, CornersInTheWrongOrderAreRepairedAndToldOnce) {
  const Yolo data(pose({kTilted[2], kTilted[3], kTilted[0], kTilted[1]}) +
                  pose({kTilted[0], kTilted[2], kTilted[1], kTilted[3]}));  // crossing
  testing::internal::CaptureStderr();
  const auto mix = open_all(data.spec());
  for (const auto& plate : mix.parts[0].source->plates(0))
    expect_near(*plate.corners, kTilted, 1e-3);
  mix.parts[0].source->read({0, 0});
  const auto told = testing::internal::GetCapturedStderr();
  const auto at = told.find("2 plates had their corners in another order");
  EXPECT_NE(at, std::string::npos) << told;
  EXPECT_EQ(told.find("another order", at + 40), std::string::npos) << "told twice";
  EXPECT_PROBLEM(open_all(data.spec("?corners=refuse")),
                 "a.txt line 1: expected the corners left-top, right-top");
  EXPECT_PROBLEM(open_all(data.spec("?corners=refuse")), "(and 1 more; ");
  EXPECT_PROBLEM(open_all(data.spec("?corners=sort")),
                 "corners=sort is unknown, known: repair, refuse");
}

TEST(YoloFrames, BadLinesLeaveTheFrameOut) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"0 0.5 0.5 0.2", "expected 5 numbers (class and box), 13 or 17 (with four corners), came 4"},
      {"0 0.5 0.5 0.2 x", "expected a number, came 'x'"},
      {"0 nan 0.5 0.2 0.2", "a coordinate is not a finite number"},
      {"0 0.5 0.5 inf 0.2", "a coordinate is not a finite number"},
      {"0 0.5 0.5 0 0.2", "expected a box with an area, came 0 x 0.2"},
      {"0 0.5 0.5 0.2 -0.2", "expected a box with an area"},
      {"0 1.5 0.5 0.2 0.2", "lies outside the picture of 1 x 1"},
      {pose({cv::Point2f{0, 0}, {50, 50}, {100, 100}, {20, 20}}), "do not form a convex"}};
  for (const auto& [line, part] : cases) {
    const Yolo data("0 0.5 0.5 0.2 0.2\n" + line);
    EXPECT_PROBLEM(open_all(data.spec()), part);
    EXPECT_PROBLEM(open_all(data.spec()), "labels/a.txt line 2: ");
    std::vector<Violation> violations;
    EXPECT_EQ(open_all(data.spec(), &violations).size(), 0) << line;
    ASSERT_EQ(violations.size(), 1u) << line;
    EXPECT_EQ(violations[0].kind, "annotation");
  }
}

TEST(YoloFrames, AnEmptyFileIsBackgroundAMissingOneOnlyWhenToldSo) {
  const Yolo data("");
  EXPECT_TRUE(open_all(data.spec()).parts[0].source->plates(0).empty());
  write_picture(data.path() / "images/deep/b.jpg");
  EXPECT_PROBLEM(open_all(data.spec()), "deep/b.jpg: the picture has no annotation");
  EXPECT_EQ(open_all(data.spec("?missing=background")).size(), 2);
}

TEST(YoloFrames, AnnotationWithoutPicture) {
  const Yolo data("0 0.5 0.5 0.2 0.2");
  write_text(data.path() / "labels/classes.txt", "plate");
  EXPECT_EQ(open_all(data.spec()).size(), 1);
  write_text(data.path() / "labels/lost.txt", "0 0.5 0.5 0.2 0.2");
  EXPECT_PROBLEM(open_all(data.spec()), "labels/lost.txt: the annotation has no picture");
  std::vector<Violation> violations;
  EXPECT_EQ(open_all(data.spec(), &violations).size(), 1);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].kind, "picture");
}

TEST(YoloFrames, SideBySide) {
  TempFolder folder;
  write_picture(folder.path() / "b.png");
  write_text(folder.path() / "b.txt", "0 0.5 0.5 0.2 0.2");
  EXPECT_EQ(open_all("yolo:" + folder.path().string()).parts[0].source->plates(0).size(), 1u);
  TempFolder empty;
  EXPECT_PROBLEM(open_all("yolo:" + empty.path().string()), "no pictures found");
  EXPECT_PROBLEM(open_all("yolo:/nowhere"), "no such folder");
}

const char* const kCoco = R"({
  "images": [{"id": 7, "file_name": "a.png", "width": 200, "height": 100},
             {"id": 8, "file_name": "b.png"}],
  "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "plate"}],
  "annotations": [
    {"id": 1, "image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4],
     "keypoints": [20, 30, 2, 120, 50, 2, 118, 80, 2, 18, 60, 2]},
    {"id": 2, "image_id": 7, "category_id": 2, "bbox": [50, 20, 30, 10],
     "keypoints": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]},
    {"id": 3, "image_id": 7, "category_id": 2, "bbox": [5, 5, 40, 10], "iscrowd": 1},
    {"id": 4, "image_id": 7, "category_id": 2, "bbox": [5, 5, 40, 10], "ignore": true},
    {"id": 5, "image_id": 7, "category_id": 1, "bbox": [0, 0, 200, 100]}]})";

// COCO data of two pictures of 200 x 100.
class Coco {
 public:
  explicit Coco(const std::string& json) {
    write_picture(folder_.path() / "a.png");
    write_picture(folder_.path() / "b.png");
    write_text(folder_.path() / "all.json", json);
  }
  std::string spec(const std::string& options = "") const {
    return "coco:" + (folder_.path() / "all.json").string() + options;
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  TempFolder folder_;
};

TEST(CocoFrames, KeyPointsBoxesAndIgnoredRegions) {
  const Coco data(kCoco);
  const auto mix = open_all(data.spec("?class=plate"));
  ASSERT_EQ(mix.size(), 2);
  const auto plates = mix.parts[0].source->read({0, 0}).plates;
  ASSERT_EQ(plates.size(), 4u);
  EXPECT_EQ(*plates[0].corners, kTilted);
  EXPECT_EQ(plates[0].box, extents(kTilted));
  EXPECT_FALSE(plates[1].corners);
  EXPECT_EQ(plates[1].box, cv::Rect2f(50, 20, 30, 10));
  EXPECT_FALSE(plates[1].ignore);
  EXPECT_TRUE(plates[2].ignore);
  EXPECT_TRUE(plates[3].ignore);
  EXPECT_TRUE(mix.parts[0].source->plates(1).empty());
  EXPECT_EQ(open_all(data.spec()).parts[0].source->plates(0).size(), 5u);
  EXPECT_PROBLEM(open_all(data.spec("?class=bus")), "no category 'bus', known: car, plate");
  EXPECT_PROBLEM(open_all(data.spec("?images=/nowhere")), "no picture /nowhere/a.png");
}

TEST(CocoFrames, BadFiles) {
  const auto with = [](const std::string& annotation) {
    return R"({"images": [{"id": 7, "file_name": "a.png", "width": 200, "height": 100}],
               "annotations": [{"id": 1, "image_id": 7, )" +
           annotation + "}]}";
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "is no JSON"},
      {"[]", "expected COCO JSON with a list 'images'"},
      {R"({"images": []})", "with a list 'annotations'"},
      {with(R"("bbox": [1, 2, 3])"), "expected a bbox of x, y, width, height, came 3"},
      {with(R"("bbox": [1, 2, 3, null])"), "annotation 1: "},
      {with(R"("bbox": [1, 2, 0, 4])"), "expected a box with an area, came 0 x 4"},
      {with(R"("bbox": [300, 2, 30, 4])"), "lies outside the picture of 200 x 100"},
      {with(R"("bbox": [1, 2, 3, 4], "keypoints": [1, 2, 2])"), "came 3 numbers"},
      {with(R"("area": 3)"), "annotation 1: "},
      {R"({"images": [], "annotations": [{"id": 1, "image_id": 9, "bbox": [1, 2, 3, 4]}]})",
       "there is no image 9"},
      {R"({"images": [{"id": 1, "file_name": "c.png"}], "annotations": []})", "no picture"}};
  for (const auto& [json, part] : cases) EXPECT_PROBLEM(open_all(Coco(json).spec()), part);
}

TEST(CocoFrames, ASizeThatContradictsThePicture) {
  const Coco data(R"({"images": [{"id": 7, "file_name": "a.png", "width": 100, "height": 200}],
                      "annotations": []})");
  const auto mix = open_all(data.spec());
  EXPECT_PROBLEM(mix.parts[0].source->read({0, 0}), "a.png has 200 x 100 pixels, its annotation");
  const auto violations = verify_frames(mix, 1);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].kind, "picture");
}

std::string voc(const std::string& objects) {
  return "<?xml version=\"1.0\"?><annotation><filename>a.jpg</filename><size><width>200</width>"
         "<height>100</height><depth>3</depth></size>" +
         objects + "</annotation>";
}

const std::string kVocBox =
    "<bndbox><xmin>11</xmin><ymin>21</ymin><xmax>50</xmax><ymax>30</ymax></bndbox>";

TEST(VocFrames, BoxesPolygonsAndDifficultOnes) {
  TempFolder folder;
  write_picture(folder.path() / "JPEGImages/a.jpg");
  write_text(folder.path() / "Annotations/a.xml",
             voc("<object><name>plate</name>" + kVocBox +
                 "</object><object><name>plate</name>"
                 "<difficult>1</difficult>" +
                 kVocBox + "</object><object><name>car</name>" + kVocBox +
                 "</object><object><name>plate</name><polygon><x1>20</x1><y1>30</y1>"
                 "<x2>120</x2><y2>50</y2><x3>118</x3><y3>80</y3><x4>18</x4><y4>60</y4></polygon>"
                 "</object>"));
  const auto mix = open_all("voc:" + folder.path().string() + "?class=plate&corners=refuse");
  const auto plates = mix.parts[0].source->read({0, 0}).plates;
  ASSERT_EQ(plates.size(), 3u);
  EXPECT_EQ(plates[0].box, cv::Rect2f(10, 20, 40, 10));
  EXPECT_FALSE(plates[0].ignore);
  EXPECT_TRUE(plates[1].ignore);
  EXPECT_EQ(*plates[2].corners, kTilted);
}

TEST(VocFrames, BadFiles) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"<annotation><object>", "no XML: "},
      {"<data/>", "expected an <annotation> element"},
      {voc("<object/>"), "object 1: there is no <bndbox>"},
      {voc("<object><bndbox><xmin>1</xmin></bndbox></object>"), "there is no <ymin>"},
      {voc("<object><bndbox><xmin>a</xmin></bndbox></object>"), "expected a number, came 'a'"},
      {voc("<object><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>4</xmax><ymax>9</ymax></bndbox>"
           "</object>"),
       "expected a box with an area"},
      {voc("<object><polygon><x1>1</x1></polygon></object>"), "came 1 numbers"}};
  for (const auto& [xml, part] : cases) {
    TempFolder folder;
    write_picture(folder.path() / "a.jpg");
    write_text(folder.path() / "a.xml", xml);
    EXPECT_PROBLEM(open_all("voc:" + folder.path().string()), part);
  }
}

TEST(OpenFrames, SpecsOfFrames) {
  EXPECT_TRUE(is_frame_spec("yolo:a+coco:b@2"));
  EXPECT_FALSE(is_frame_spec("ccpd:a"));
  EXPECT_FALSE(is_frame_spec("crops:a+yolo:b"));
  EXPECT_PROBLEM(open_all("crops:a"), "unknown kind 'crops', known: ccpd, coco, ");
  EXPECT_PROBLEM(open_all("yolo:a?subset=b"), "unknown option 'subset' of yolo, known: class");
  const auto mix = open_all(kCcpdFrames + "@3+" + kCcpdFrames);
  ASSERT_EQ(mix.parts.size(), 2u);
  EXPECT_EQ(mix.parts[0].weight, 3);
  EXPECT_EQ(mix.size(), 28);
}

TEST(FrameStats, CountsPlatesAndHowTheyLie) {
  const Coco data(kCoco);
  const auto stats = frame_stats(open_all(data.spec("?class=plate")), 1);
  EXPECT_EQ(stats.at("frames"), 2);
  EXPECT_EQ(stats.at("plates"), 2);
  EXPECT_EQ(stats.at("ignored"), 2);
  EXPECT_EQ(stats.at("with_corners"), 1);
  EXPECT_EQ(stats.at("plates_per_frame"), nlohmann::json({{"0", 1}, {"2", 1}}));
  EXPECT_NEAR(stats.at("tilt").at("p50").get<double>(), 11.31, 0.01);
  EXPECT_NEAR(stats.at("aspect").at("p5").get<double>(), 3.0, 0.01);
  EXPECT_EQ(stats.at("width").at("histogram")[2], nlohmann::json({{"from", 24.0}, {"plates", 1}}));
  const auto table = frame_stats_table(stats);
  EXPECT_NE(table.find("2 frames with 2 plates (1 with corners"), std::string::npos) << table;
  EXPECT_NE(table.find("from    24       1  ####"), std::string::npos) << table;
}

TEST(VerifyFrames, PicturesThatCannotBeReadAndTwins) {
  TempFolder folder;
  for (const char* name : {"a", "b", "c"}) {
    write_picture(folder.path() / (std::string(name) + ".png"));
    write_text(folder.path() / (std::string(name) + ".txt"), "");
  }
  write_text(folder.path() / "c.png", "no picture");
  const auto violations = verify_frames(open_all("yolo:" + folder.path().string()), 2);
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_EQ(violations[0].kind, "duplicate");
  EXPECT_NE(violations[0].message.find("b.png shows the same picture as"), std::string::npos);
  EXPECT_EQ(violations[1].kind, "picture");
  EXPECT_NE(violations[1].message.find("c.png cannot be decoded"), std::string::npos);
}

}  // namespace
}  // namespace plateforge
