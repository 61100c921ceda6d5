#include "compress/quantize/quantize.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "compress/quantize/insert_quantizers.h"
#include "configs/error.h"
#include "models/graph/execute.h"
#include "models/graph_network.h"
#include "models/model_file.h"
#include "tests/support/problem.h"
#include "tests/unit/compress/nets.h"

namespace plateforge {
namespace {

// Mean squared difference of two graphs' outputs, relative to the first's power.
double distance(const Graph& exact, const Graph& other, const std::vector<torch::Tensor>& batches) {
  const torch::NoGradGuard no_grad;
  double error = 0, power = 0;
  for (const auto& images : batches) {
    const auto expected = execute(exact, {images})[0];
    error += (expected - execute(other, {images})[0]).square().sum().item<double>();
    power += expected.square().sum().item<double>();
  }
  return error / power;
}

class Quantize : public testing::Test {
 protected:
  Quantize() {
    randomize(network_, 11);
    // Plain activations and plain weights: every step below has something to gain.
    const torch::NoGradGuard no_grad;
    network_.stem->weight.slice(0, 1, c10::nullopt, 2).mul_(40);
  }
  Graph traced() { return trace(network_, {-1, 3, 12, 20}); }
  double distance_with(const QuantizeOptions& options, const LayerChoices& choices = {}) {
    PostTrainingQuantizer quantizer(traced(), calibration_, options);
    return distance(quantizer.graph(), quantizer.build(choices), unseen_);
  }

  ForkCnn network_;
  std::vector<torch::Tensor> calibration_ = pictures(6, 1), unseen_ = pictures(3, 2);
  QuantizeOptions plain_{.equalization = Equalization::none,
                         .bias_correction = BiasCorrection::none};
};

TEST_F(Quantize, EveryProfileAndObserverStaysNearTheFloatNetwork) {
  for (const auto& profile : quant_profile_names()) {
    auto options = plain_;
    options.profile = find_quant_profile(profile);
    EXPECT_LT(distance_with(options), 0.02) << profile;
  }
  for (const auto& observer : observer_names()) {
    auto options = plain_;
    options.observer = find_observer(observer);
    EXPECT_LT(distance_with(options), 0.02) << observer;
  }
}

TEST_F(Quantize, EqualisingAcrossTheSliceGains) {
  auto equalized = plain_;
  equalized.equalization = Equalization::group;
  EXPECT_LT(distance_with(equalized), 0.7 * distance_with(plain_));
}

TEST_F(Quantize, WiderActivationsAndFloatLayersGain) {
  LayerChoices wide, real;
  for (const auto* layer : {"stem", "body", "head"}) {
    wide.precisions[layer] = LayerPrecision::int16;
    real.precisions[layer] = LayerPrecision::real;
  }
  const auto narrow = distance_with(plain_);
  EXPECT_LT(distance_with(plain_, wide), 0.5 * narrow);
  EXPECT_LT(distance_with(plain_, real), 1e-9);
}

TEST_F(Quantize, BiasCorrectionRemovesTheMeanError) {
  auto options = plain_;
  options.reduce_range = true;  // rounds more
  const auto errors = [&](QuantProfile profile, BiasCorrection method) {
    options.profile = profile, options.bias_correction = method;
    PostTrainingQuantizer quantizer(traced(), calibration_, options);
    const torch::NoGradGuard no_grad;
    const auto images = torch::cat(calibration_);
    const auto error =
        execute(quantizer.build({}), {images})[0] - execute(quantizer.graph(), {images})[0];
    return error.mean({0, 2, 3}).square().sum().item<double>();
  };
  EXPECT_LT(errors(QuantProfile::int8_u8, BiasCorrection::sequential),
            0.1 * errors(QuantProfile::int8_u8, BiasCorrection::none));
  // The fast way knows of the weights' rounding alone.
  EXPECT_LT(errors(QuantProfile::int8_weights, BiasCorrection::fast),
            0.5 * errors(QuantProfile::int8_weights, BiasCorrection::none));
}

// One channel, weight 0.26 of a step of 0.1: rounding to 0.3 adds 0.04 x on average.
TEST(BiasCorrectionTest, ShiftIsTheRoundingTimesTheMeanInput) {
  Graph exact;
  const auto x = exact.add_tensor("x", {-1, 1}, Origin::input);
  const auto weight = exact.add_tensor("w", {1, 1}, Origin::parameter, torch::tensor({{0.26F}}));
  const auto bias = exact.add_tensor("b", {1}, Origin::parameter, torch::tensor({1.0F}));
  exact.inputs = {x};
  exact.outputs = {exact.add_node(op::Linear{}, "layer", {x, weight, bias}, {-1, 1})};
  const auto placement = place_quantizers(exact, QuantProfile::int8_weights, {}, false);
  for (const auto method : {BiasCorrection::fast, BiasCorrection::sequential}) {
    auto quantized = insert_quantizers(exact, placement, {}, {torch::tensor({0.1F})});
    correct_biases(exact, quantized, method, {torch::tensor({{1.0F}, {3.0F}})});
    EXPECT_NEAR(quantized.tensor(bias).value.item<float>(), 1.0 - 0.04 * 2, 1e-5);
  }
}

TEST_F(Quantize, LearnedRoundingIsOnTheGridKeepsZerosAndGains) {
  {
    const torch::NoGradGuard no_grad;
    network_.head->weight.slice(1, 0, 8).zero_();  // pruned
  }
  auto options = plain_;
  options.profile = QuantProfile::int8_weights;
  options.reduce_range = true;
  options.adaround.iterations = 150;
  PostTrainingQuantizer quantizer(traced(), calibration_, options);
  const auto nearest = quantizer.build({});
  const auto learned = quantizer.build({.precisions = {}, .adaround = {"stem", "body", "head"}});
  EXPECT_LT(distance(quantizer.graph(), learned, unseen_),
            0.9 * distance(quantizer.graph(), nearest, unseen_));
  const auto constants = [](const Graph& graph, const std::string& name) {
    for (const auto& tensor : graph.tensors) {
      if (tensor.name == name) return tensor.value;
    }
    return torch::Tensor();
  };
  const auto weight = constants(learned, "head.weight");
  const auto steps = weight / constants(learned, "head.weight_scale").reshape({-1, 1, 1, 1});
  EXPECT_TRUE(torch::allclose(steps, steps.round(), 0, 1e-3));
  EXPECT_LE(steps.abs().max().item<float>(), 63.001);
  EXPECT_EQ(weight.slice(1, 0, 8).abs().max().item<float>(), 0);
  EXPECT_FALSE(torch::equal(weight, constants(nearest, "head.weight")));
}

TEST_F(Quantize, ReportNamesEveryLayerWithItsNoise) {
  PostTrainingQuantizer quantizer(traced(), calibration_, plain_);
  const LayerChoices choices{.precisions = {{"body", LayerPrecision::real}}, .adaround = {}};
  const auto reports = quantizer.report(quantizer.build(choices), choices);
  ASSERT_EQ(reports.size(), 3U);
  EXPECT_EQ(reports[1].layer, "body");
  EXPECT_EQ(reports[1].precision, LayerPrecision::real);
  EXPECT_GT(reports[0].sqnr, 20);
  EXPECT_LT(reports[0].sqnr, 60);
}

TEST_F(Quantize, ZeroedChannelsAndConstantActivationsWork) {
  {
    const torch::NoGradGuard no_grad;
    network_.stem->weight.slice(0, 0, 4).zero_();
    network_.stem->bias.slice(0, 0, 4).fill_(-1e4);  // dead behind the ReLU, bias far out
    network_.body->weight.zero_();
    network_.body->bias.fill_(0.5);  // the ReLU behind it is constant
  }
  for (const auto& observer : observer_names()) {
    QuantizeOptions options{.observer = find_observer(observer)};
    EXPECT_LT(distance_with(options), 0.02) << observer;
  }
}

TEST_F(Quantize, SavesLoadsAndComputesTheSame) {
  Model model = make_model({}, Region::load("cn"), 3);
  torch::manual_seed(5);
  const std::vector<torch::Tensor> plates{torch::rand({2, 3, 24, 94}) * 2 - 1};
  PostTrainingQuantizer quantizer(trace(*model.network, {-1, 3, 24, 94}), plates, {});
  model.network = std::make_shared<GraphNetwork>(quantizer.build({}));
  const auto file = std::filesystem::path(testing::TempDir()) / "quantized.safetensors";
  save_model(model, file);
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(torch::equal(load_model(file).network->forward(plates[0]),
                           model.network->forward(plates[0])));
}

TEST_F(Quantize, RefusesWhatCannotBeCalibrated) {
  EXPECT_EQ(problem_of([&] { PostTrainingQuantizer q(traced(), {}, plain_); }),
            "calibration needs at least 2 pictures, 300 are a good number; got 0");
  EXPECT_EQ(problem_of([&] { PostTrainingQuantizer q(traced(), pictures(1, 1, 1), plain_); }),
            "calibration needs at least 2 pictures, 300 are a good number; got 1");
  PostTrainingQuantizer once(traced(), calibration_, plain_);
  EXPECT_NE(problem_of([&] {
              PostTrainingQuantizer q(once.build({}), calibration_, plain_);
            }).find("quantised already"),
            std::string::npos);
  {
    const torch::NoGradGuard no_grad;
    network_.body->bias[2] = NAN;
  }
  EXPECT_NE(problem_of([&] {
              PostTrainingQuantizer q(traced(), calibration_, plain_);
            }).find("relu_2, which comes from body, holds values that are not finite"),
            std::string::npos);
}

}  // namespace
}  // namespace plateforge
