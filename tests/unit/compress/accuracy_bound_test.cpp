#include "compress/quantize/accuracy_bound.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "tests/unit/compress/nets.h"

namespace plateforge {
namespace {

// A picture's answer is the class of its mean output; right when it is the float network's.
class Bound : public testing::Test {
 protected:
  Bound() {
    randomize(network_, 21);
    const torch::NoGradGuard no_grad;
    network_.stem->weight.slice(0, 1, c10::nullopt, 2).mul_(300);  // spoils the kept channels
    images_ = pictures(12, 3, 10);
    jury_.batches = images_;
    for (const auto& batch : images_) {
      for (const auto& one : network_.forward(batch).mean({2, 3}).split(1)) {
        truth_.push_back(one.argmax().item<int64_t>());
      }
    }
    jury_.judge = [this](const torch::Tensor& outputs, const std::vector<int64_t>& numbers) {
      const auto classes = outputs.mean({2, 3}).argmax(1);
      std::vector<Judgement> judgements;
      for (size_t i = 0; i < numbers.size(); ++i) {
        const auto answer = classes[static_cast<int64_t>(i)].item<int64_t>();
        judgements.push_back({answer == truth_.at(static_cast<size_t>(numbers[i])) ? 1.0 : 0.0,
                              std::to_string(answer),
                              {}});
      }
      return judgements;
    };
  }
  PostTrainingQuantizer quantizer() {
    return {trace(network_, {-1, 3, 12, 20}), pictures(6, 1), options_};
  }

  ForkCnn network_;
  std::vector<torch::Tensor> images_;
  std::vector<int64_t> truth_;
  Jury jury_;
  QuantizeOptions options_{.observer = Observer::min_max,
                           .equalization = Equalization::none,
                           .bias_correction = BiasCorrection::none,
                           .reduce_range = true,
                           .adaround = {.iterations = 20}};
};

TEST_F(Bound, FloatNetworkComparedWithItselfLosesNothing) {
  auto ptq = quantizer();
  const auto same = compare(ptq.graph(), ptq.graph(), jury_);
  EXPECT_EQ(same.pictures, 120);
  EXPECT_EQ(same.exact_score, 1);
  EXPECT_EQ(same.drop(), 0);
  EXPECT_EQ(same.same, 1);
  EXPECT_EQ(same.distance, 0);
  // Nothing lost among 120 still leaves room: sqrt(1 / 122 / 122) * 1.96 on both sides.
  EXPECT_NEAR(same.drop_high, 1.96 / 122, 1e-4);
  EXPECT_NEAR(same.drop_low, -1.96 / 122, 1e-4);
}

TEST_F(Bound, StopsAtOnceWhereNothingIsLost) {
  auto ptq = quantizer();
  const auto result = quantize_within(ptq, {}, jury_, {.max_drop = 1});
  EXPECT_TRUE(result.holds);
  EXPECT_TRUE(result.steps.empty());
  EXPECT_TRUE(result.choices.precisions.empty());
}

TEST_F(Bound, TakesLayersBackUntilTheBoundHolds) {
  auto ptq = quantizer();
  const auto result = quantize_within(ptq, {}, jury_, {.max_drop = 0, .ranking_pictures = 40});
  ASSERT_GT(result.first.drop(), 0) << "the network is too easy for this test";
  EXPECT_TRUE(result.holds);
  EXPECT_LE(result.best.drop(), 0);
  ASSERT_FALSE(result.steps.empty());
  EXPECT_FALSE(result.choices.precisions.empty() && result.choices.adaround.empty());
  EXPECT_EQ(result.layer_drops.size(), 3U);
  // What is reported is what the graph does.
  const auto again = compare(ptq.graph(), result.graph, jury_);
  EXPECT_EQ(again.drop(), result.best.drop());
}

TEST_F(Bound, SearchFindsTheEqualisationThatThisNetworkNeeds) {
  const auto graph = trace(network_, {-1, 3, 12, 20});
  const auto calibration = pictures(6, 1);
  const auto found = search_options(graph, calibration, options_, jury_);
  EXPECT_NE(found.equalization, Equalization::none);
  EXPECT_TRUE(found.reduce_range);  // what is not searched stays
  PostTrainingQuantizer before(graph, calibration, options_), after(graph, calibration, found);
  EXPECT_GT(compare(after.graph(), after.build({}), jury_).same,
            compare(before.graph(), before.build({}), jury_).same);
}

TEST_F(Bound, ABoundOutOfReachGivesTheBestThatWasFound) {
  auto ptq = quantizer();
  const auto result = quantize_within(ptq, {}, jury_, {.max_drop = -0.5, .ranking_pictures = 20});
  EXPECT_FALSE(result.holds);
  EXPECT_LE(result.best.drop(), result.first.drop());
}

}  // namespace
}  // namespace plateforge
