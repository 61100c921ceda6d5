#include "train/exam.h"

#include <gtest/gtest.h>

#include "data/frames/open_frames.h"
#include "data/frames/split.h"
#include "models/decode/boxes.h"
#include "tests/support/detectors.h"
#include "tests/support/problem.h"

namespace plateforge {
namespace {

const std::string kFrames = "ccpd:" PLATEFORGE_ROOT "/tests/data/ccpd";

Model small_detector() {
  auto model = make_model(small_detectors().at("mnv4"), Region::load("cn"), 1);
  model.network->eval();
  return model;
}

// Rows [N, A, K] of plain distances that say one plate each: every anchor's score is low but that
// of the anchor whose centre is nearest to the true plate's, which says the plate itself.
torch::Tensor perfect_rows(const Batch& batch, const ModelConfig& config) {
  const auto anchors = make_anchors(config.detector, batch.images.size(2), batch.images.size(3));
  const DetectorOutput layout(config.detector);
  auto rows = torch::zeros({batch.size(), anchors.centers.size(0), layout.size()});
  rows.select(2, 0).fill_(-20);
  for (int64_t n = 0; n < batch.size(); ++n) {
    const auto box = batch.targets[n][0].slice(0, 0, 4);
    const auto centre = (box.slice(0, 0, 2) + box.slice(0, 2, 4)) / 2;
    const auto apart = (anchors.centers - centre).square().sum(1) / anchors.strides.square();
    const auto a = apart.argmin().item<int64_t>();
    const auto stride = anchors.strides[a];
    const auto sides = torch::cat({anchors.centers[a] - box.slice(0, 0, 2),
                                   box.slice(0, 2, 4) - anchors.centers[a]}) /
                       stride;
    auto row = rows[n][a];
    row[0] = 5;
    row.slice(0, 1, 5).copy_(sides);
  }
  return rows;
}

TEST(Exam, FramesAreJudgedByTheirPlates) {
  auto model = small_detector();
  model.config.detector.regression = "distance";
  const auto exam = open_exam(kFrames, model);
  EXPECT_EQ(exam->names().samples, "frames");
  EXPECT_EQ(exam->names().score, "iou70");
  auto loader = exam->open(4);
  const auto batch = loader.next().value();
  const auto rows = perfect_rows(batch, model.config);
  const auto found = exam->judge(rows, batch);
  ASSERT_EQ(found.size(), static_cast<size_t>(batch.size()));
  for (const auto& judgement : found) {
    EXPECT_EQ(judgement.score, 1) << judgement.answer;
    EXPECT_EQ(judgement.places.size(), 4U);
  }
  const auto anchors = make_anchors(model.config.detector, 64, 64);
  const auto answers =
      exam->judge_answers(decode_rows(rows, anchors, model.config.detector), batch);
  for (size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(same_answer(found[i], answers[i]));

  const auto nothing = exam->judge(rows.index_fill(2, torch::tensor({0}), -20.0), batch);
  for (const auto& judgement : nothing) {
    EXPECT_EQ(judgement.score, 0);
    EXPECT_TRUE(judgement.places.empty());
  }
}

TEST(Exam, FewFramesAreDrawnWithoutRepeats) {
  const auto model = small_detector();
  const auto all = open_exam(kFrames, model);
  ASSERT_GT(all->size(), 2);
  const auto some = all->draw(2, 5);
  EXPECT_EQ(some->size(), 2);
  EXPECT_EQ(all->draw(1000, 5)->size(), all->size());
  auto loader = some->open(2);
  const auto batch = loader.next().value();
  EXPECT_NE(batch.sources[0], batch.sources[1]);
}

TEST(Exam, UnknownMetricNamesTheKnownOnes) {
  const auto text =
      problem_of([] { open_exam(kFrames, small_detector(), {.crop = {}, .metric = "iou_70"}); });
  EXPECT_NE(text.find("iou_70"), std::string::npos) << text;
  EXPECT_NE(text.find("iou70"), std::string::npos) << text;
}

TEST(Exam, CalibrationMayNotHoldTheMeasuredFrames) {
  const auto model = small_detector();
  const auto exam = open_exam(kFrames, model);
  const auto text = problem_of([&] { require_apart(*exam, *exam); });
  EXPECT_NE(text.find("overlaps"), std::string::npos) << text;
}

TEST(SplitFrames, PhotographsAreDividedAndGeneratorsStay) {
  const auto region = Region::load("cn");
  const auto mix = open_frames(kFrames + "@0.5+scenes:cn?count=20@0.5", region, 1);
  const auto split = split_frames(mix, 0.5, 1);
  EXPECT_GT(split.val.real_size(), 0);
  EXPECT_GT(split.train.real_size(), 0);
  EXPECT_EQ(split.train.real_size() + split.val.real_size(), mix.real_size());
  EXPECT_EQ(split.val.size(), split.val.real_size());
  EXPECT_EQ(split.train.size() - split.train.real_size(), 20);
  const auto again = split_frames(mix, 0.5, 1);
  EXPECT_EQ(again.val.real_size(), split.val.real_size());
}

}  // namespace
}  // namespace plateforge
