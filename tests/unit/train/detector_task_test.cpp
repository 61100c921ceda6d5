#include "train/tasks/detector.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/optim/adamw.h>
#include <torch/utils.h>

#include "data/open.h"

namespace plateforge {
namespace {

// A detector in miniature: two convolutions of the stride of each level, no neck.
class MiniDetector : public Network {
 public:
  explicit MiniDetector(const DetectorConfig& config) {
    namespace nn = torch::nn;
    const auto scales = static_cast<int64_t>(config.anchor_scales.size());
    values_ = DetectorOutput(config).size();
    for (const int64_t stride : config.strides) {
      const auto name = std::to_string(stride);
      levels_.push_back(register_module(
          "level" + name,
          nn::Sequential(nn::Conv2d(nn::Conv2dOptions(3, 32, stride).stride(stride)), nn::ReLU(),
                         nn::Conv2d(nn::Conv2dOptions(32, scales * values_, 3).padding(1)))));
    }
  }
  torch::Tensor forward(const torch::Tensor& images) override {
    std::vector<torch::Tensor> rows;
    for (auto& level : levels_)
      rows.push_back(
          level->forward(images).permute({0, 2, 3, 1}).reshape({images.size(0), -1, values_}));
    return torch::cat(rows, 1);
  }

 private:
  int64_t values_ = 0;
  std::vector<torch::nn::Sequential> levels_;
};

ModelConfig mini_config() {
  ModelConfig config;
  config.name = "scrfd";
  config.width = config.height = 64;
  config.detector.strides = {8, 16};
  config.detector.anchor_sizes = {16, 32};
  config.detector.anchor_scales = {1};
  config.detector.reg_max = 6;
  return config;
}

// Two frames with a bright plate each on noise, and one without.
Batch frames() {
  torch::manual_seed(1);
  Batch batch;
  batch.images = torch::randint(0, 60, {3, 3, 64, 64}, torch::kByte)
                     .contiguous(torch::MemoryFormat::ChannelsLast);
  batch.targets = torch::zeros({3, 1, kPlateValues});
  batch.target_lengths = torch::tensor({1, 1, 0}, torch::kLong);
  for (int64_t n = 0; n < 2; ++n) {
    const int64_t left = 6 + 22 * n, top = 10 + 24 * n, right = left + 28, bottom = top + 14;
    batch.images[n].slice(1, top, bottom).slice(2, left, right).fill_(230);
    const auto l = static_cast<float>(left), t = static_cast<float>(top);
    const auto r = static_cast<float>(right), b = static_cast<float>(bottom);
    batch.targets[n][0] =
        torch::tensor({l, t, r, b, l, t, r, t, r, b, l, b, static_cast<float>(kBoxAndCorners)});
  }
  batch.sources = {"a/1.jpg", "b/2.jpg", "c/3.jpg"};
  return batch;
}

DetectionEvaluation evaluate_once(Network& network, const ModelConfig& config) {
  bool given = false;
  return evaluate_detector(network, config,
                           [&]() -> std::optional<Batch> {
                             if (given) return std::nullopt;
                             given = true;
                             return frames();
                           },
                           {});
}

// The loss alone leads to boxes, corners and scores that the metrics call right.
TEST(DetectorTask, LearnsItsBatch) {
  auto config = mini_config();
  torch::manual_seed(2);
  const auto region = Region::load("cn");
  // evaluate() is not called: what it calls is, with the frames.
  const auto unused = open_mix("crops:" PLATEFORGE_ROOT "/tests/data/crops", region, {}, 1);
  Loader val(unused, region, {.strength = 0, .ops = {}}, {.workers = 0, .shuffle = false});
  DetectorTask task({.config = config,
                     .region = region,
                     .network = std::make_shared<MiniDetector>(config.detector),
                     .provenance = {}},
                    val, {});
  torch::optim::AdamW optimizer(task.network().parameters(), torch::optim::AdamWOptions(3e-3));
  const auto batch = frames();
  double first = 0, last = 0;
  for (int step = 0; step < 300; ++step) {
    const auto loss = task.loss(batch);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    last = loss.item<double>();
    if (step == 0) first = last;
  }
  EXPECT_LT(last, 0.1 * first);
  const auto measured = evaluate_once(task.network(), config);
  EXPECT_EQ(measured.metrics.iou70().all().hits, 2);
  EXPECT_EQ(measured.metrics.value("ap75"), 1);
  EXPECT_EQ(measured.metrics.false_positives_per_empty_frame(), 0);
  EXPECT_LT(measured.metrics.value("corner_error"), 6);
  EXPECT_NEAR(measured.loss, last, 0.05 * first);
  ASSERT_EQ(measured.results.size(), 3U);
  EXPECT_EQ(measured.results[1].source, "b/2.jpg");
  EXPECT_EQ(measured.results[1].plates[0].box, (Box{28, 34, 56, 48}));
  EXPECT_TRUE(task.network().is_training());

  const auto said = describe(measured);
  EXPECT_EQ(said.json["loss"].get<double>(), measured.loss);
  EXPECT_EQ(said.json["iou70"].get<double>(), 1);
  EXPECT_NE(said.line.find("IoU > 0.7 1.0000"), std::string::npos);
}

TEST(DetectorTask, KnowsBoxOnlyAndIgnoredPlates) {
  auto batch = frames();
  batch.targets[0][0][kPlateValues - 1] = static_cast<float>(kBoxOnly);
  batch.targets[1][0][kPlateValues - 1] = static_cast<float>(kIgnoredPlate);
  EXPECT_FALSE(true_plates(batch, 0)[0].corners);
  EXPECT_FALSE(true_plates(batch, 0)[0].ignore);
  EXPECT_TRUE(true_plates(batch, 1)[0].ignore);
  EXPECT_TRUE(true_plates(batch, 2).empty());
}

}  // namespace
}  // namespace plateforge
