#include "models/maskocr.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>

#include "configs/region.h"
#include "configs/yaml.h"
#include "losses/masked_pixels.h"
#include "losses/slots.h"
#include "models/decode/ctc.h"
#include "models/graph/execute.h"
#include "models/graph/passes.h"
#include "models/graph/trace.h"
#include "models/mae.h"
#include "models/model_file.h"
#include "optim/optimizer.h"
#include "tests/golden/maskocr.h"
#include "tests/support/maskocr.h"
#include "tests/support/problem.h"

namespace plateforge {
namespace {

using torch::Tensor;

int64_t count(const torch::nn::Module& module, const std::string& prefix = "") {
  int64_t total = 0;
  for (const auto& item : module.named_parameters())
    if (item.key().starts_with(prefix)) total += item.value().numel();
  return total;
}

// The sizes of tests/golden/maskocr.py.
ModelConfig golden_config(const std::string& form) {
  auto config = tiny_maskocr();
  config.dropout = 0;
  config.maskocr.form = form;
  config.maskocr.embedding_dropout = 0;
  return config;
}

constexpr int64_t kGoldenClasses = 7;

void fill_by_formula(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    const auto& name = item.key();
    const bool norm = name.find("norm") != std::string::npos && name.ends_with("weight");
    auto values = item.value().view(-1);
    for (int64_t i = 0; i < values.numel(); ++i)
      values[i] = (norm ? 1.0 : 0.0) +
                  0.2 * std::sin(0.7 * static_cast<double>(i) + static_cast<double>(name.size()));
  }
}

Tensor pictures(int64_t count, const ModelConfig& config) {
  const auto index = torch::arange(count * config.height * config.width * 3, torch::kLong);
  return (((index * 7919).remainder(256).to(torch::kFloat) - 127.5) / 128)
      .reshape({count, config.height, config.width, 3})
      .permute({0, 3, 1, 2});
}

void expect_equal(const Tensor& values, const std::vector<double>& wanted, double tolerance) {
  const auto flat = values.detach().flatten().to(torch::kDouble).contiguous();
  ASSERT_EQ(flat.numel(), static_cast<int64_t>(wanted.size()));
  for (int64_t i = 0; i < flat.numel(); ++i)
    ASSERT_NEAR(flat.data_ptr<double>()[i], wanted[static_cast<size_t>(i)], tolerance) << i;
}

// gfickel/alpr's OCR at 48 x 192: 22,340,880 + 37,455,600 + 42,500.
TEST(MaskOcr, ReferenceHasItsParameters) {
  ModelConfig config;
  config.name = "maskocr";
  config.width = 192, config.height = 48;
  config.maskocr.form = "reference";
  config.maskocr.slots = 7;
  const auto network = make_network(config, 68);
  EXPECT_EQ(count(*network, "encoder."), 22'340'880);
  EXPECT_EQ(count(*network, "encoder.layers.3."), 2'700'048);
  EXPECT_EQ(count(*network, "decoder."), 37'455'600);
  EXPECT_EQ(count(*network, "decoder.layers.5."), 6'241'872);
  EXPECT_EQ(count(*network, "head."), 42'500);
  EXPECT_EQ(count(*network), 59'838'980);
}

TEST(MaskOcr, ShippedSizesAreThoseOfTheReadme) {
  const auto region = Region::load("cn");
  for (const auto& [file, wanted] : {std::pair{"maskocr_reference.yaml", 59'838'980},
                                     {"maskocr_base.yaml", 59'839'604},
                                     {"maskocr_small.yaml", 7'031'396},
                                     {"maskocr_tiny.yaml", 1'956'132}})
    EXPECT_EQ(count(*make_model(read_run_config(file).model, region, 1).network), wanted) << file;
}

// N(0, 0.02) wherever no norm and no bias is.
TEST(MaskOcr, StartsAsTransformersDo) {
  auto config = tiny_maskocr();
  config.maskocr.dim = 96;
  for (const auto& item : make_network(config, 68, 1)->named_parameters()) {
    const auto& value = item.value();
    SCOPED_TRACE(item.key());
    if (item.key().ends_with("bias"))
      EXPECT_EQ(value.abs().max().item<float>(), 0);
    else if (item.key().find("norm") != std::string::npos)
      EXPECT_TRUE(value.eq(1).all().item<bool>());
    else
      EXPECT_NEAR(value.std().item<double>(), 0.02, 0.02 * 3 / std::sqrt(value.numel()));
  }
}

// What the public code forgot: its decoder never got any.
TEST(MaskOcr, DropoutReachesTheDecoder) {
  const auto config = tiny_maskocr();
  const auto decoder = std::make_shared<MaskOcrDecoder>(config);
  initialize_transformer(*decoder, 1);
  const auto memory = torch::randn({2, 6, config.maskocr.dim});
  EXPECT_FALSE(decoder->forward(memory).equal(decoder->forward(memory)));
  decoder->eval();
  EXPECT_TRUE(decoder->forward(memory).equal(decoder->forward(memory)));
}

// No decay of norms, biases, positions and queries; lower layers of the encoder move less.
TEST(MaskOcr, OptimiserTreatsItsPartsAsTransformersAreTrained) {
  const auto network = make_network(tiny_maskocr(), kGoldenClasses);
  OptimConfig optim;
  optim.weight_decay = 0.05;
  optim.layer_decay = 0.5;
  for (const auto& group : make_param_groups(*network, optim))
    for (const auto& name : group.names) {
      SCOPED_TRACE(name);
      const bool decays = name.ends_with("weight") && name.find("norm") == std::string::npos;
      EXPECT_EQ(group.weight_decay, decays ? 0.05 : 0);
      const double moves = name.starts_with("encoder.layers.1.")   ? 0.5
                           : name.starts_with("encoder.layers.0.") ? 0.25
                           : name.starts_with("encoder.p")         ? 0.125
                                                                   : 1;
      EXPECT_EQ(group.lr_multiplier, moves);
    }
}

// Against an independent PyTorch program: logits, loss, and logits after one step of AdamW.
TEST(MaskOcr, TrainsAsPyTorchDoes) {
  struct Case {
    const char* form;
    const std::vector<double>&logits, &loss, &after;
  };
  for (const auto& [form, logits, loss_wanted, after] :
       {Case{"reference", golden::kLogitsReference, golden::kLossReference,
             golden::kLogitsAfterStepReference},
        Case{"mended", golden::kLogitsMended, golden::kLossMended,
             golden::kLogitsAfterStepMended}}) {
    SCOPED_TRACE(form);
    const auto config = golden_config(form);
    const auto network = make_network(config, kGoldenClasses);
    fill_by_formula(*network);
    network->train();
    const auto images = pictures(2, config);
    const auto targets = torch::tensor({{1, 2, 3, -1, -1}, {5, 4, 3, 2, 1}}, torch::kLong);
    const auto lengths = torch::tensor({3, 5}, torch::kLong);

    OptimConfig optim;
    optim.weight_decay = 0.05;
    optim.beta2 = 0.95;
    const auto optimizer = make_optimizer(make_param_groups(*network, optim), optim);
    const auto out = network->forward(images);
    expect_equal(out, logits, 2e-5);
    const auto loss =
        slot_loss(out, targets, lengths, kGoldenClasses - 1, {.label_smoothing = 0.1});
    expect_equal(loss, loss_wanted, 1e-5);
    loss.backward();
    optimizer->step(1e-3, 0.9);
    expect_equal(network->forward(images), after, 2e-4);
  }
}

TEST(Mae, PaintsAsPyTorchDoes) {
  auto config = golden_config("mended");
  config.name = "mae";
  const auto network = make_network(config, kGoldenClasses);
  fill_by_formula(*network);
  auto& mae = dynamic_cast<MaskedAutoencoder&>(*network);
  ASSERT_EQ(mae.visible(), 2);
  const auto order = torch::tensor({{3, 0, 1, 5, 4, 2}, {1, 2, 0, 3, 5, 4}}, torch::kLong);
  const auto painting = mae.paint(pictures(2, config), order);
  expect_equal(painting.painted, golden::kPainted, 2e-5);
  expect_equal(masked_pixel_loss(painting, 0.05), golden::kMaeLoss, 1e-5);
}

// Behind convolutions too, whose windows reach into the neighbours.
TEST(Mae, EncoderSeesOnlyVisiblePatches) {
  for (const int64_t stem : {0, 8}) {
    SCOPED_TRACE(stem);
    auto config = tiny_maskocr();
    config.name = "mae";
    config.maskocr.stem = stem;
    const auto network = make_network(config, kGoldenClasses, 1);
    network->eval();
    auto& mae = dynamic_cast<MaskedAutoencoder&>(*network);
    const auto order = torch::tensor({{3, 0, 1, 5, 4, 2}}, torch::kLong);
    auto images = pictures(1, config).clone();
    const auto before = mae.paint(images, order).painted;
    images.slice(3, 4, 8).fill_(1);  // patch 1 is hidden
    EXPECT_TRUE(mae.paint(images, order).painted.equal(before));
    images.slice(3, 12, 16).fill_(1);  // patch 3 is seen
    EXPECT_FALSE(mae.paint(images, order).painted.allclose(before));
  }
}

TEST(Mae, RegressorPredictsHiddenFeatures) {
  auto config = tiny_maskocr();
  config.name = "mae";
  config.mae.regressor_layers = 2;
  config.maskocr.stem = 8;
  const auto network = make_network(config, kGoldenClasses, 1);
  auto& mae = dynamic_cast<MaskedAutoencoder&>(*network);
  const auto order = torch::tensor({{3, 0, 1, 5, 4, 2}}, torch::kLong);
  const auto painting = mae.paint(pictures(1, config), order);
  EXPECT_EQ(painting.features.sizes(), (Shape{1, 4, 24}));
  EXPECT_FALSE(painting.aligned.requires_grad());
  masked_pixel_loss(painting, 0.05).backward();
  for (const auto& item : network->named_parameters()) {
    if (!item.key().starts_with("regressor.")) continue;
    EXPECT_TRUE(item.value().grad().defined());
  }
}

// Without dropout, and without a trace in the statistics of the convolutions.
TEST(Mae, AlignsWithTheEncoderAtRest) {
  auto config = tiny_maskocr();
  config.name = "mae";
  config.mae.regressor_layers = 1;
  const auto order = torch::tensor({{3, 0, 1, 5, 4, 2}}, torch::kLong);
  const auto painted = [&](Network& network) {
    return dynamic_cast<MaskedAutoencoder&>(network).paint(pictures(1, config), order);
  };
  const auto strips = make_network(config, kGoldenClasses, 1);
  const auto once = painted(*strips), again = painted(*strips);
  EXPECT_TRUE(once.aligned.equal(again.aligned));
  EXPECT_FALSE(once.painted.equal(again.painted));  // this one trains
  config.maskocr.stem = 8;
  const auto convolved = make_network(config, kGoldenClasses, 1);
  painted(*convolved);
  for (const auto& item : convolved->named_buffers()) {
    if (!item.key().ends_with("num_batches_tracked")) continue;
    EXPECT_EQ(item.value().item<int64_t>(), 1);
  }
}

TEST(Mae, KeepsVisiblePixelsInItsPictures) {
  auto config = tiny_maskocr();
  config.name = "mae";
  const auto network = make_network(config, kGoldenClasses, 1);
  network->eval();
  auto& mae = dynamic_cast<MaskedAutoencoder&>(*network);
  const auto images = pictures(1, config);
  const auto order = torch::tensor({{3, 0, 1, 5, 4, 2}}, torch::kLong);
  const torch::NoGradGuard no_grad;
  const auto painted = mae.reconstruct(images, order), masked = mae.masked(images, order);
  EXPECT_TRUE(painted.slice(3, 12, 16).equal(images.slice(3, 12, 16)));
  EXPECT_TRUE(masked.slice(3, 0, 4).equal(images.slice(3, 0, 4)));
  EXPECT_TRUE(masked.slice(3, 4, 12).eq(0).all().item<bool>());
  EXPECT_FALSE(painted.slice(3, 4, 8).allclose(images.slice(3, 4, 8)));
}

TEST(MaskOcr, PatchesComeInReadingOrder) {
  const auto config = tiny_maskocr();
  auto images = torch::zeros({1, 3, 8, 24});
  images[0][1][2][9] = 5;  // green, row 2, column 9: patch 2, its column 1
  const auto cut = cut_patches(images, patch_grid(config), /*overlap=*/false);
  EXPECT_EQ(cut.sizes(), (Shape{1, 6, 96}));
  EXPECT_EQ(cut[0][2][(2 * 4 + 1) * 3 + 1].item<float>(), 5);
  EXPECT_EQ(cut.sum().item<float>(), 5);

  auto halves = config;
  halves.maskocr.overlap = true;
  const auto both = cut_patches(images, patch_grid(halves), /*overlap=*/true);
  EXPECT_EQ(both.sizes(), (Shape{1, 11, 96}));
  EXPECT_EQ(both[0][4][(2 * 4 + 1) * 3 + 1].item<float>(), 5);  // starts at column 8
  EXPECT_EQ(both[0][3][(2 * 4 + 3) * 3 + 1].item<float>(), 5);  // starts at column 6
  EXPECT_EQ(both.sum().item<float>(), 10);

  auto squares = config;
  squares.maskocr.patch_height = 4;
  const auto grid = patch_grid(squares);
  EXPECT_EQ(grid.tokens(), 12);
  EXPECT_EQ(cut_patches(images, grid, false)[0][2][(2 * 4 + 1) * 3 + 1].item<float>(), 5);
}

// Convolutions of 3 x 3 without bias, their norms, and patches of one column: two halvings of 8 x 4
// pixels leave two rows of 16 channels.
TEST(MaskOcr, StemStandsBeforeThePatches) {
  auto config = tiny_maskocr();
  config.maskocr.stem = 8;
  const auto network = make_network(config, kGoldenClasses, 1);
  EXPECT_EQ(count(*network, "encoder.patch.stem."), 3 * 8 * 9 + 2 * 8 + 8 * 16 * 9 + 2 * 16);
  EXPECT_EQ(count(*network, "encoder.patch.linear."), 2 * 16 * 24 + 24);
  EXPECT_EQ(network->forward(pictures(2, config)).sizes(), (Shape{2, kGoldenClasses, 5}));
  config.maskocr.stem = 0;
  EXPECT_EQ(count(*make_network(config, kGoldenClasses, 1), "encoder.patch.stem."), 0);
}

// A plate's logits do not depend on its neighbours, and a graph of the network computes the same.
TEST(MaskOcr, TracesAtAnyBatch) {
  for (const auto* head : {"slots", "ctc"}) {
    for (const auto* activation : {"gelu", "gelu_tanh", "silu", "relu"}) {
      SCOPED_TRACE(std::string(head) + " " + activation);
      auto config = tiny_maskocr();
      config.maskocr.stem = activation == std::string("relu") ? 8 : 0;
      config.maskocr.head = head;
      config.maskocr.activation = activation;
      const auto network = make_network(config, kGoldenClasses, 3);
      network->eval();
      const torch::NoGradGuard no_grad;
      const auto images = torch::randn({3, 3, 8, 24});
      const auto whole = network->forward(images);
      EXPECT_EQ(whole.size(2), time_steps(config));
      EXPECT_TRUE(
          network->forward(images.slice(0, 1, 2)).allclose(whole.slice(0, 1, 2), 1e-4, 1e-5));
      const auto graph = trace(*network, {-1, 3, 8, 24});
      EXPECT_TRUE(execute(graph, {images})[0].allclose(whole, 1e-4, 1e-5));
    }
  }
}

// At rest the first layer's queries are constants: no keys are made for them, and no node
// multiplies a constant from the left.
TEST(MaskOcr, ConstantQueriesBecomeALinearLayer) {
  const auto config = tiny_maskocr();
  const auto network = make_network(config, kGoldenClasses, 3);
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : network->parameters())
      parameter.add_(torch::randn_like(parameter) * 0.1);
  }
  network->eval();
  const torch::NoGradGuard no_grad;
  const auto images = torch::randn({3, 3, 8, 24});
  auto graph = trace(*network, {-1, 3, 8, 24});
  const auto before = macs(graph);
  simplify(graph);
  EXPECT_LT(macs(graph), before);
  for (const auto& node : graph.nodes) {
    if (!node.as<op::MatMul>()) continue;
    EXPECT_FALSE(graph.tensor(node.inputs[0]).is_constant()) << node.name;
  }
  EXPECT_TRUE(execute(graph, {images})[0].allclose(network->forward(images), 1e-4, 1e-5));
}

TEST(MaskOcr, HiddenPatchesAreNotSeen) {
  for (const int64_t stem : {0, 8}) {
    SCOPED_TRACE(stem);
    auto config = tiny_maskocr();
    config.maskocr.stem = stem;
    const auto network = make_network(config, kGoldenClasses, 3);
    network->eval();
    auto& reader = dynamic_cast<MaskOcr&>(*network);
    const torch::NoGradGuard no_grad;
    auto images = torch::randn({1, 3, 8, 24});
    const auto hidden = torch::tensor({{0, 1, 1, 0, 0, 0}}, torch::kBool);
    const auto before = reader.forward_hiding(images, hidden);
    images.slice(3, 4, 12).normal_();
    EXPECT_TRUE(reader.forward_hiding(images, hidden).equal(before));
    EXPECT_FALSE(reader.forward(images).allclose(before));
    const auto all = torch::zeros({1, 6}, torch::kBool);
    EXPECT_TRUE(reader.forward_hiding(images, all).allclose(reader.forward(images), 1e-4, 1e-5));
  }
}

TEST(MaskOcr, RefusesWhatDoesNotFit) {
  auto config = tiny_maskocr();
  config.maskocr.patch_width = 5;
  EXPECT_NE(problem_of([&] { make_network(config, 7); }).find("do not tile"), std::string::npos);
  config = tiny_maskocr();
  config.maskocr.decoder_heads = 5;
  EXPECT_NE(problem_of([&] { make_network(config, 7); }).find("does not divide"),
            std::string::npos);
  config = tiny_maskocr();
  config.maskocr.head = "ctc";
  config.maskocr.patch_height = 4;
  EXPECT_NE(problem_of([&] { make_network(config, 7); }).find("one row of patches"),
            std::string::npos);
  config = tiny_maskocr();
  config.maskocr.stem = 8;
  config.maskocr.patch_width = 6;
  EXPECT_NE(problem_of([&] { make_network(config, 7); }).find("a power of two"), std::string::npos);
  config = tiny_maskocr();
  config.name = "mae";
  config.maskocr.overlap = true;
  EXPECT_NE(problem_of([&] { make_network(config, 7); }).find("overlap"), std::string::npos);
}

// The slots of a fresh model are the region's; weights of pre-training go where their names say.
TEST(MaskOcr, TakesAnEncoderByName) {
  const auto region = Region::load("cn");
  auto config = tiny_maskocr();
  config.maskocr.slots = 0;
  auto reader = make_model(config, region, 1);
  EXPECT_EQ(reader.config.maskocr.slots, region.max_length());
  config.name = "mae";
  const auto mae = make_model(config, region, 2);
  const auto report = take_weights(reader, state_dict(*mae.network), &region);
  EXPECT_NE(report.find("taken 31: encoder.* 31"), std::string::npos) << report;
  const auto from = state_dict(*mae.network), to = state_dict(*reader.network);
  for (const auto& [name, tensor] : to)
    EXPECT_EQ(name.starts_with("encoder."), from.contains(name) && from.at(name).equal(tensor))
        << name;
}

}  // namespace
}  // namespace plateforge
