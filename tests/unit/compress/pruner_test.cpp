#include "compress/prune/pruner.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/utils.h>

#include "compress/batch_norm.h"
#include "compress/prune/masks.h"
#include "compress/prune/sparsity_report.h"
#include "configs/error.h"
#include "models/graph/execute.h"
#include "models/model_file.h"
#include "models/network.h"
#include "tests/support/maskocr.h"
#include "tests/support/small_nets.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

using torch::Tensor;

const Shape kOne = {1, 3, 12, 20};

struct Case {
  std::shared_ptr<PlainCnn> network = std::make_shared<PlainCnn>(16);
  Calibration plates;
  Case() {
    randomize(*network, 4);
    for (int i = 0; i < 3; ++i) plates.images.push_back(torch::randn({8, 3, 12, 20}));
    // Pruning estimates the statistics anew, so they have to be those of these plates from the
    // start.
    estimate_batch_norm(*network, 3,
                        [this, next = size_t{0}]() mutable { return plates.images[next++]; });
    network->eval();
    const torch::NoGradGuard no_grad;
    std::vector<Tensor> wanted;
    for (const auto& batch : plates.images) wanted.push_back(network->forward(batch));
    plates.measure = [this, wanted] {  // "loss" is the distance to the unpruned network's outputs
      const torch::NoGradGuard guard;
      network->eval();
      double loss = 0, same = 0;
      for (size_t i = 0; i < wanted.size(); ++i) {
        const auto now = network->forward(plates.images[i]);
        loss += (now - wanted[i]).square().mean().item<double>();
        same += (now.argmax(1) == wanted[i].argmax(1)).to(torch::kDouble).mean().item<double>() / 3;
      }
      return Quality{loss, same};
    };
  }
  double zeros(const PruneConfig& config) {
    Pruner pruner(*network, kOne, config, plates);
    pruner.prune();
    int64_t all = 0, nonzero = 0;
    for (const auto& layer : pruner.layers()) {
      all += layer.weight.numel();
      nonzero += layer.weight.count_nonzero().item<int64_t>();
    }
    return 1 - static_cast<double>(nonzero) / static_cast<double>(all);
  }
};

TEST(Pruner, EveryAllocationAndScoreReachesTheRatio) {
  for (const char* allocation : {"uniform", "global", "norm_global", "erk", "lamp", "sensitivity"})
    for (const char* scores : {"magnitude", "wanda", "second_order"}) {
      Case c;
      EXPECT_NEAR(c.zeros({.allocation = allocation, .ratio = 0.5, .scores = scores}), 0.5, 0.01)
          << allocation << " " << scores;
    }
}

TEST(Pruner, SecondOrderStaysNearerToTheUnprunedNetwork) {
  Case zeroed, solved;
  zeroed.zeros({.allocation = "uniform", .ratio = 0.5});
  solved.zeros({.allocation = "uniform", .ratio = 0.5, .scores = "second_order"});
  EXPECT_LT(solved.plates.measure().loss, 0.7 * zeroed.plates.measure().loss);
}

TEST(Pruner, SecondOrderStaysNearerInTransformersToo) {
  const torch::NoGradGuard no_grad;
  const auto config = tiny_maskocr();
  torch::manual_seed(2);
  const Calibration plates{.images = {torch::randn({64, 3, config.height, config.width})},
                           .measure = [] { return Quality{}; }};
  const auto error_of = [&](const std::string& scores) {
    const auto network = make_network(config, 7, 1);
    randomize(*network, 4);
    network->eval();
    const auto whole = network->forward(plates.images[0]);
    Pruner(*network, {1, 3, config.height, config.width},
           {.allocation = "uniform", .ratio = 0.5, .scores = scores}, plates)
        .prune();
    return (network->forward(plates.images[0]) - whole).square().mean().item<double>();
  };
  EXPECT_LT(error_of("second_order"), 0.7 * error_of("magnitude"));
}

TEST(Pruner, PatternHoldsInEveryLayerItDivides) {
  Case c;
  Pruner pruner(*c.network, kOne, {.pattern = "2:4"}, {});
  const auto zeros = pruner.prune();
  EXPECT_EQ(zeros.at("body.0"), 0);  // three input channels
  EXPECT_EQ(zeros.at("body.5"), 0);  // depthwise
  EXPECT_EQ(zeros.at("head"), 0.5);
  const auto groups = c.network->head->weight.reshape({-1, 4});
  EXPECT_TRUE(((groups != 0).sum(1) == 2).all().item<bool>());
}

TEST(Pruner, MeetsABudgetOfBytes) {
  Case c;
  Pruner dense(*c.network, kOne, {.allocation = "uniform"}, {});
  const auto before = gzip_bytes(weights_of(dense.layers()));
  Pruner pruner(*c.network, kOne,
                {.allocation = "uniform", .ratio = 0.1, .max_bytes = before * 6 / 10}, {});
  pruner.prune();
  const auto after = gzip_bytes(weights_of(pruner.layers()));
  EXPECT_LE(after, before * 6 / 10);
  EXPECT_GT(after, before * 5 / 10);
  Pruner impossible(*c.network, kOne, {.allocation = "uniform", .max_bytes = 1}, {});
  EXPECT_THROW(impossible.prune(), Error);
}

TEST(Pruner, MeetsABudgetOfAccuracy) {
  Case c;
  const double zeros = c.zeros({.allocation = "norm_global", .ratio = 0.95, .max_drop = 0.2});
  EXPECT_GT(zeros, 0);
  EXPECT_LT(zeros, 0.94);
  EXPECT_GE(c.plates.measure().score, 0.8);
}

TEST(Pruner, AllocationLeavesTheNetworkAsItWas) {
  Case c;
  std::map<std::string, Tensor> before;
  for (const auto& [name, tensor] : state_dict(*c.network)) before[name] = tensor.clone();
  Pruner(*c.network, kOne, {.allocation = "sensitivity"}, c.plates).allocate_ratios(0.5);
  for (const auto& [name, tensor] : state_dict(*c.network))
    EXPECT_TRUE(tensor.equal(before.at(name))) << name;
}

TEST(Pruner, WhatNeedsPlatesSaysSo) {
  Case c;
  for (const PruneConfig& config : {PruneConfig{.allocation = "sensitivity"},
                                    PruneConfig{.allocation = "uniform", .scores = "wanda"},
                                    PruneConfig{.allocation = "uniform", .max_drop = 0.1}})
    EXPECT_THROW(Pruner(*c.network, kOne, config, {}), Error);
}

TEST(BatchNormEstimate, IsThePlainMeanOverTheBatches) {
  PlainCnn network(4);
  randomize(network, 2);
  network.train();
  const std::vector<Tensor> images = {torch::randn({4, 3, 8, 8}), torch::randn({4, 3, 8, 8})};
  size_t next = 0;
  estimate_batch_norm(network, 2, [&] { return images[next++]; });
  const auto* norm = network.body->ptr(1)->as<torch::nn::BatchNorm2dImpl>();
  const torch::NoGradGuard no_grad;
  const auto* conv = network.body->ptr(0)->as<torch::nn::Conv2dImpl>();
  Tensor mean = torch::zeros({4});
  for (const auto& batch : images)
    mean +=
        const_cast<torch::nn::Conv2dImpl*>(conv)->forward(batch.clamp(-1, 2)).mean({0, 2, 3}) / 2;
  EXPECT_TRUE(torch::allclose(norm->running_mean, mean, 1e-4, 1e-5));
  EXPECT_TRUE(network.is_training());
  EXPECT_EQ(norm->options.momentum(), 0.1);
}

// A network that was trained to other statistics than its plates have would be ruined by new ones.
TEST(BatchNormEstimate, IsRefusedWhereTheNetworkItselfLoses) {
  const torch::NoGradGuard no_grad;
  PlainCnn network(4);
  randomize(network, 2);
  network.eval();
  const Calibration own{.images = {torch::randn({8, 3, 8, 8})}, .measure = nullptr};
  estimate_batch_norm(network, own);
  const auto wanted = network.forward(own.images[0]).clone();
  auto measured = own;
  measured.measure = [&] {
    return Quality{1e4 * (network.forward(own.images[0]) - wanted).square().mean().item<double>(),
                   0};
  };
  EXPECT_TRUE(fits_estimated_norms(network, measured));
  auto strange = measured;
  strange.images = {10 * torch::randn({8, 3, 8, 8}) + 5};
  EXPECT_FALSE(fits_estimated_norms(network, strange));
  EXPECT_TRUE(network.forward(own.images[0]).equal(wanted));
}

TEST(Sparsity, ZerosSurviveSavingLoadingAndQuantising) {
  const TempFolder folder;
  auto model = make_model({.width_multiplier = 0.25}, Region::load("cn"), 3);
  const Shape shape = {1, 3, model.config.height, model.config.width};
  Pruner pruner(*model.network, shape, {.allocation = "lamp", .ratio = 0.7}, {});
  model.provenance[kSparsityKey] = write_ratios(pruner.prune());
  save_model(model, folder.path() / "pruned.safetensors");
  const auto loaded = load_model(folder.path() / "pruned.safetensors");
  const auto ratios = read_ratios(loaded.provenance.at(kSparsityKey), "test");
  for (const auto& layer : prunable_layers(*loaded.network, shape)) {
    EXPECT_EQ(zero_share(layer.weight), ratios.at(layer.name)) << layer.name;
    const auto scale = layer.weight.abs().flatten(1).amax(1).clamp_min(1e-6) / 127;
    const auto quantised = execute(op::FakeQuantize{.low = -127, .high = 127, .axis = 0},
                                   {layer.weight, scale, torch::zeros(scale.sizes(), torch::kInt)});
    EXPECT_TRUE(quantised.masked_select(layer.weight == 0).eq(0).all().item<bool>());
  }
}

TEST(SparsityReport, CountsZerosMacsAndPackedBytes) {
  Case c;
  auto layers = prunable_layers(*c.network, kOne);
  const auto dense = gzip_bytes(weights_of(layers));
  layers[2].weight.slice(1, 0, 8).zero_();
  const auto report = report_sparsity(layers, dense);
  EXPECT_EQ(report.layers[2].nonzero, 5 * 8);
  EXPECT_EQ(report.layers[2].nonzero_macs, 5 * 8);
  EXPECT_LT(report.gzip_bytes, dense);
  const auto json = report.to_json();
  EXPECT_DOUBLE_EQ(json["layers"]["head"]["ratio"].get<double>(), 0.5);
  EXPECT_EQ(json["dense_gzip_bytes"].get<int64_t>(), dense);
  EXPECT_NE(report.to_text().find("will not be faster"), std::string::npos);
  EXPECT_THROW(read_ratios("[1]", "x"), Error);
  EXPECT_THROW(read_ratios("{\"a\": \"b\"}", "x"), Error);
}

}  // namespace
}  // namespace plateforge
