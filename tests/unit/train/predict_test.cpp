#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "data/image.h"
#include "tests/support/problem.h"
#include "tests/support/temp_folder.h"
#include "train/predict/pictures.h"
#include "train/predict/pipeline.h"
#include "train/predict/tracks.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = PLATEFORGE_ROOT;

std::vector<PlateModels> shipped_models(int64_t threads = 1) {
  const auto folder = kRoot / "models/pretrained";
  return load_plate_models(folder / "detector-n.safetensors", folder / "lprnet-cn.safetensors", {},
                           {}, threads);
}

std::vector<std::string> texts_of(const Prediction& prediction) {
  std::vector<std::string> texts;
  for (const auto& plate : prediction.plates) texts.push_back(plate.texts.at(0).text);
  return texts;
}

// A video of `frames` pictures, each one grey level lighter.
void write_video(const fs::path& file, int frames) {
  cv::VideoWriter writer(file.string(), cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), 10, {64, 48});
  ASSERT_TRUE(writer.isOpened());
  for (int i = 0; i < frames; ++i) writer.write(cv::Mat(48, 64, CV_8UC3, cv::Scalar::all(10 * i)));
}

std::vector<Picture> all_of(PictureStream& stream) {
  std::vector<Picture> all;
  while (auto picture = stream.next()) {
    picture->load();
    all.push_back(std::move(*picture));
  }
  return all;
}

TEST(Pictures, AreFilesFoldersAndPatternsInOrder) {
  const TempFolder folder;
  fs::create_directories(folder.path() / "b/c");
  const cv::Mat image(20, 30, CV_8UC3, cv::Scalar::all(90));
  for (const char* name : {"b/2.png", "b/1.png", "b/c/3.png", "a.png"})
    write_png(folder.path() / name, image);
  write_file_atomically(folder.path() / "b/notes.txt", "no picture");
  write_file_atomically(folder.path() / "b/torn.jpg", "\xff\xd8\xff torn");
  const auto at = [&](const char* name) { return (folder.path() / name).string(); };
  PictureStream stream({at("a.png"), at("b"), at("b/[12].png")}, {});
  const auto pictures = all_of(stream);
  std::vector<std::string> sources;
  for (const auto& picture : pictures) sources.push_back(picture.source);
  EXPECT_EQ(sources,
            (std::vector<std::string>{at("a.png"), at("b/1.png"), at("b/2.png"), at("b/c/3.png"),
                                      at("b/torn.jpg"), at("b/1.png"), at("b/2.png")}));
  EXPECT_NE(pictures[4].problem.find("torn.jpg"), std::string::npos);
  EXPECT_EQ(pictures[0].image.size(), image.size());
}

TEST(Pictures, RefuseWhatIsNotThere) {
  const TempFolder folder;
  const auto problem = [](const std::string& input) {
    return problem_of([&] { PictureStream({input}, {}); });
  };
  EXPECT_NE(problem("nowhere.jpg").find("nowhere.jpg"), std::string::npos);
  EXPECT_NE(problem(folder.path().string()).find("no picture"), std::string::npos);
  EXPECT_NE(problem("nothing-*.jpg").find("pattern"), std::string::npos);
  EXPECT_NE(problem("camera:97").find("camera:97 is not there"), std::string::npos);
  EXPECT_NE(problem("camera:front").find("is no camera"), std::string::npos);
  EXPECT_NE(problem_of([] { PictureStream({}, {}); }).find("camera:0"), std::string::npos);
}

TEST(Pictures, FramesOfAVideo) {
  const TempFolder folder;
  const auto file = folder.path() / "clip.avi";
  write_video(file, 7);
  PictureStream stream({file.string()}, {.every = 3});
  const auto pictures = all_of(stream);
  ASSERT_EQ(pictures.size(), 4U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(pictures[i].frame, static_cast<int64_t>(3 * i));
    EXPECT_NEAR(cv::mean(pictures[i].image)[0], 30.0 * static_cast<double>(i), 4);
  }
  EXPECT_NEAR(pictures[1].seconds - pictures[0].seconds, 0.3, 0.05);
  EXPECT_TRUE(pictures[3].ends_video);
  EXPECT_EQ(pictures[3].problem, "");
}

TEST(Pictures, AVideoThatBreaksOffGivesWhatItHas) {
  const TempFolder folder;
  const auto whole = folder.path() / "whole.avi", broken = folder.path() / "broken.avi",
             noise = folder.path() / "noise.mp4";
  write_video(whole, 12);
  const auto bytes = read_file(whole);
  const auto frames_begin = bytes.find("movi"), index = bytes.rfind("idx1");
  ASSERT_TRUE(frames_begin < index && index < bytes.size());
  const auto half = (frames_begin + index) / 2;
  write_file_atomically(
      broken, bytes.substr(0, half) + std::string(index - half, '\0') + bytes.substr(index));
  write_file_atomically(noise, "this is no video");
  PictureStream stream({broken.string(), noise.string(), whole.string()}, {});
  int64_t frames = 0, problems = 0, ends = 0;
  for (const auto& picture : all_of(stream)) {
    frames += !picture.image.empty();
    problems += !picture.problem.empty();
    ends += picture.ends_video;
  }
  EXPECT_GT(frames, 12);
  EXPECT_LT(frames, 24);
  EXPECT_EQ(problems, 2);
  EXPECT_EQ(ends, 2);
}

TEST(Pipeline, ReadsRealFramesWhateverTheThreadsAndBatches) {
  const auto folder = (kRoot / "tests/data/ccpd").string();
  std::vector<std::vector<std::string>> first;
  for (const auto& [threads, batch] : {std::pair{1, 1}, std::pair{3, 2}}) {
    PictureStream pictures({folder}, {});
    auto models = shipped_models(threads);
    std::vector<std::vector<std::string>> read;
    run_pipeline([&] { return pictures.next(); }, models,
                 [&](Prediction p) { read.push_back(texts_of(p)); }, {.batch = batch});
    ASSERT_EQ(read.size(), 14U);
    if (first.empty()) first = read;
    EXPECT_EQ(read, first);
  }
  const auto region = Region::load("cn");
  int64_t plates = 0;
  for (const auto& texts : first) {
    plates += static_cast<int64_t>(texts.size());
    for (const auto& text : texts) EXPECT_TRUE(region.layout_of(text)) << text;
  }
  EXPECT_GE(plates, 13);
}

TEST(Pipeline, PicturesWithoutPlatesAndUnreadableOnesComeInOrder) {
  const TempFolder folder;
  write_png(folder.path() / "1.png", cv::Mat(300, 200, CV_8UC3, cv::Scalar(40, 90, 60)));
  write_file_atomically(folder.path() / "2.jpg", "no picture");
  write_png(folder.path() / "3.png", cv::Mat(1, 1, CV_8UC3, cv::Scalar(40, 90, 60)));
  PictureStream pictures({folder.path().string()}, {});
  std::vector<Prediction> all;
  auto models = shipped_models(2);
  run_pipeline([&] { return pictures.next(); }, models,
               [&](Prediction p) { all.push_back(std::move(p)); }, {});
  ASSERT_EQ(all.size(), 3U);
  for (const auto& prediction : all) EXPECT_TRUE(prediction.plates.empty());
  EXPECT_EQ(all[0].picture.problem, "");
  EXPECT_NE(all[1].picture.problem.find("2.jpg"), std::string::npos);
}

TEST(Pipeline, ErrorsOfThreadsAndTakersReachTheCaller) {
  const auto folder = (kRoot / "tests/data/ccpd").string();
  PictureStream pictures({folder}, {});
  auto models = shipped_models(2);
  const auto broken = []() -> std::optional<Picture> { fail("network drive is gone"); };
  EXPECT_EQ(problem_of([&] { run_pipeline(broken, models, [](Prediction) {}, {}); }),
            "network drive is gone");
  const auto full = [](Prediction) { fail("disk full"); };
  EXPECT_EQ(problem_of([&] { run_pipeline([&] { return pictures.next(); }, models, full, {}); }),
            "disk full");
}

// The surroundings of the plate of a shipped frame, and what the pipeline finds in a picture.
class CutFrame : public testing::Test {
 protected:
  CutFrame() {
    frame_ = read_image(fs::directory_iterator(kRoot / "tests/data/ccpd")->path());
    const auto alone = find(frame_);
    box_ = alone.plates.at(0).box;
    text_ = alone.plates[0].texts.at(0).text;
  }

  Prediction find(const cv::Mat& picture) {
    auto found = predict({Picture{.source = "cut", .image = picture, .problem = {}}}, models_, 3);
    const cv::Rect2f whole({0, 0}, cv::Size2f(picture.size()));
    for (const auto& plate : found.at(0).plates) {
      EXPECT_EQ((plate.box & whole), plate.box);
      EXPECT_FALSE(plate.texts.empty());
      EXPECT_LE(plate.texts.size(), 3U);
    }
    return std::move(found[0]);
  }

  cv::Mat around(int pixels) const {
    const cv::Rect wide =
        cv::Rect(box_) + cv::Size(2 * pixels, 2 * pixels) - cv::Point(pixels, pixels);
    return frame_(wide & cv::Rect({0, 0}, frame_.size()));
  }

  PlateModels models_ =
      std::move(load_plate_models(kRoot / "models/pretrained/detector-s.safetensors",
                                  kRoot / "models/pretrained/lprnet-cn.safetensors", {}, {}, 1)
                    .front());
  cv::Mat frame_;
  cv::Rect2f box_;
  std::string text_;
};

// A hundred in one picture are 22 pixels wide each for a network of 512: most are found.
TEST_F(CutFrame, DozensOfPlatesAreAllFoundAndAHundredMostly) {
  cv::Mat tiled;
  cv::repeat(around(160), 7, 7, tiled);
  EXPECT_EQ(find(tiled).plates.size(), 49U);
  cv::repeat(around(160), 10, 10, tiled);
  EXPECT_GE(find(tiled).plates.size(), 55U);
}

TEST_F(CutFrame, PlatesCutByTheBorderStayInThePicture) {
  cv::Mat tiled;
  cv::repeat(around(40), 4, 4, tiled);
  const auto found = find(tiled(cv::Rect(60, 60, tiled.cols - 120, tiled.rows - 120)));
  EXPECT_GE(found.plates.size(), 8U);
}

TEST_F(CutFrame, HalfAPlateIsNoWholeOne) {
  const int middle = static_cast<int>(box_.x + box_.width / 2);
  for (const cv::Range columns : {cv::Range(0, middle), cv::Range(middle, frame_.cols)})
    for (const auto& plate : find(frame_.colRange(columns)).plates)
      EXPECT_NE(plate.texts.front().text, text_);
}

Prediction seen(int64_t frame, std::vector<std::pair<cv::Rect2f, PlateText>> plates) {
  Prediction prediction{.picture = {.source = "clip",
                                    .frame = frame,
                                    .seconds = 0.1 * static_cast<double>(frame),
                                    .image = {},
                                    .problem = {}},
                        .plates = {}};
  for (auto& [box, text] : plates)
    prediction.plates.push_back({.box = box, .texts = {text}, .crop = {}});
  return prediction;
}

TEST(Tracker, FollowsMovingPlatesAndVotes) {
  Tracker tracker;
  for (int64_t frame = 0; frame < 6; ++frame) {
    // One moves its own width in every two frames, two cross nowhere; the second is misread twice.
    const auto x = static_cast<float>(30 * frame);
    auto p = seen(frame, {{{x, 10, 60, 20}, {"A1", 0.9}},
                          {{200, 100, 60, 20}, {frame % 3 == 1 ? "B7" : "B1", 0.6}}});
    if (frame == 3) p.plates.erase(p.plates.begin());  // hidden once
    tracker.follow(p);
    EXPECT_EQ(p.plates.back().track, 1) << frame;
    if (p.plates.size() == 2) {
      EXPECT_EQ(p.plates[0].track, 0) << frame;
    }
  }
  auto late = seen(40, {{{150, 10, 60, 20}, {"C1", 0.9}}});
  tracker.follow(late);
  EXPECT_EQ(late.plates[0].track, 2);  // more than a second later it is another one
  const auto tracks = tracker.tracks();
  ASSERT_EQ(tracks.size(), 3U);
  EXPECT_EQ(tracks[0].text, "A1");
  EXPECT_EQ(tracks[0].frames, 5);
  EXPECT_EQ(tracks[1].text, "B1");
  EXPECT_NEAR(tracks[1].share, 4.0 / 6, 1e-9);
  EXPECT_EQ(tracks[1].last_frame, 5);
}

}  // namespace
}  // namespace plateforge
