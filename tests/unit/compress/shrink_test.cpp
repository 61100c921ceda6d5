#include "compress/shrink/shrink.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include "compress/batch_norm.h"
#include "configs/error.h"
#include "models/graph/execute.h"
#include "models/graph/passes.h"
#include "models/graph/trace.h"
#include "models/graph_network.h"
#include "models/lprnet.h"
#include "models/model_file.h"
#include "models/ops/layers.h"
#include "tests/support/maskocr.h"
#include "tests/support/small_nets.h"
#include "tests/support/temp_folder.h"

namespace plateforge {
namespace {

using torch::Tensor;

const Shape kSmall = {1, 3, 12, 20}, kPlate = {1, 3, 24, 94};

Shape open(Shape shape) {
  shape[0] = -1;
  return shape;
}

Tensor run(Network& network, const Tensor& images) {
  const torch::NoGradGuard no_grad;
  network.eval();
  return network.forward(images);
}

// Sets everything that belongs to a channel outside the plan to zero.
void zero_removed(const Graph& graph, const ChannelGroups& groups, const ChannelPlan& plan) {
  const torch::NoGradGuard no_grad;
  for (TensorId id = 0; id < graph.tensors.size(); ++id) {
    auto value = graph.tensor(id).value;
    const bool is_variance = graph.tensor(id).name.ends_with("var");
    if (!value.defined() || is_variance) continue;
    for (size_t axis = 0; axis < graph.shape(id).size(); ++axis) {
      auto gone = torch::ones({value.size(static_cast<int64_t>(axis))}, torch::kBool);
      gone.index_fill_(0, torch::tensor(groups.kept(plan, id, axis)), false);
      const auto indices = gone.nonzero().flatten();
      if (indices.numel() > 0) value.index_fill_(static_cast<int64_t>(axis), indices, 0);
    }
  }
}

template <class Net>
void expect_same_without_zeroed_channels(const std::vector<int64_t>& counts) {
  const auto owner = std::make_shared<Net>();
  auto& network = *owner;
  randomize(network, 3);
  const auto graph = trace(network, open(kSmall));
  const ChannelGroups groups(graph);
  const auto plan = groups.best(channel_scores(graph, groups, "norm"), counts);
  const auto shrunk = without_channels(graph, groups, plan);
  zero_removed(graph, groups, plan);
  const auto images = torch::randn({3, 3, 12, 20});
  const auto expected = run(network, images);
  const auto parameters_before = network.parameters().at(0).numel();
  select_channels(network, kSmall, shrunk);
  EXPECT_LT(network.parameters().at(0).numel(), parameters_before);
  EXPECT_TRUE(torch::allclose(run(network, images), expected, 1e-4, 1e-5));
}

TEST(Shrink, ComputesWhatZeroedChannelsDo) {
  expect_same_without_zeroed_channels<ResidualCnn>({3, 5});
  expect_same_without_zeroed_channels<BranchCnn>({2, 3, 5});
  expect_same_without_zeroed_channels<StridedCnn>({5, 2, 5});
  expect_same_without_zeroed_channels<GroupedCnn>({1, 5});
  expect_same_without_zeroed_channels<PlainCnn>({3, 5});
  expect_same_without_zeroed_channels<AttentionNet>({7, 2, 5});
}

TEST(Shrink, OptionsOfTheLayersFollow) {
  const auto owner = std::make_shared<PlainCnn>(8);
  auto& network = *owner;
  randomize(network, 1);
  Shrinker(network, kSmall, {.ratio = 0.5, .multiple = 2}).shrink();
  const auto& depthwise = *network.body->ptr<torch::nn::Conv2dImpl>(5);
  EXPECT_EQ(depthwise.options.groups(), 4);
  EXPECT_EQ(depthwise.options.in_channels(), 4);
  EXPECT_EQ(depthwise.options.out_channels(), 4);
  EXPECT_EQ(network.body[1]->as<torch::nn::BatchNorm2dImpl>()->options.num_features(), 4);
  EXPECT_EQ(network.head->options.in_features(), 4);
}

// Its forward says how many channels there are.
struct WrittenCnn : Network {
  WrittenCnn() {
    conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 8, 1)));
    head = register_module("head", torch::nn::Linear(8, 5));
  }
  Tensor forward(const Tensor& images) override {
    return head(conv(images).reshape({images.size(0), 8, -1}).mean(2));
  }
  torch::nn::Conv2d conv{nullptr};
  torch::nn::Linear head{nullptr};
};

TEST(Shrink, CodeWithChannelCountsIsRefusedAndTheNetworkStays) {
  const auto owner = std::make_shared<WrittenCnn>();
  auto& network = *owner;
  const auto images = torch::randn({2, 3, 12, 20});
  const auto before = run(network, images);
  try {
    Shrinker(network, kSmall, {.ratio = 0.5, .multiple = 2}).shrink();
    ADD_FAILURE() << "was not refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("does not follow fewer channels"), std::string::npos);
  }
  EXPECT_TRUE(run(network, images).equal(before));
}

Model small_reader(double width = 0.5) {
  auto model = make_model({.width_multiplier = width, .dropout = 0}, Region::load("cn"), 1);
  randomize(*model.network, 2);
  return model;
}

TEST(Shrink, ReaderComputesWhatItsGraphSays) {
  for (const char* head : {"t18", "t88"}) {
    auto model = make_model({.width_multiplier = 0.5, .head = head}, Region::load("cn"), 1);
    randomize(*model.network, 2);
    const auto report = Shrinker(*model.network, kPlate, {.ratio = 0.5, .multiple = 8}).shrink();
    EXPECT_LT(report.after.macs, 0.45 * static_cast<double>(report.before.macs));
    auto graph = trace(*model.network, open(kPlate));
    EXPECT_EQ(macs(graph), report.after.macs);
    simplify(graph);
    const auto images = torch::randn({2, 3, 24, 94});
    const auto logits = run(*model.network, images);
    EXPECT_EQ(logits.size(1), 68);
    EXPECT_TRUE(torch::allclose(execute(graph, {images}).front(), logits, 1e-3, 1e-3));
  }
}

// The fused training kernels take widths that are no multiple of anything.
TEST(Shrink, ReaderTrainsAtOddWidths) {
  auto model = small_reader();
  Shrinker(*model.network, kPlate,
           {.widths = {"backbone.0=13", "backbone.4.block.6=27", "backbone.8.block.6=50",
                       "backbone.11.block.6=61", "backbone.16=33", "backbone.20=59"}})
      .shrink();
  for (auto& parameter : model.network->parameters())
    if (parameter.dim() == 4)
      parameter.set_data(parameter.detach().contiguous(at::MemoryFormat::ChannelsLast));
  const auto images = torch::randn({4, 3, 24, 94}).contiguous(at::MemoryFormat::ChannelsLast);
  model.network->train();
  const auto gradient = [&] {
    model.network->zero_grad();
    model.network->forward(images).square().mean().backward();
    return model.network->named_parameters()["backbone.0.weight"].grad().clone();
  };
  const auto fused = gradient();
  const ops::PlainOps plain;
  const auto expected = gradient();
  // Rounding decides some maxima otherwise, even at round widths: hundredths, not ten thousandths.
  EXPECT_LT((fused - expected).norm().item<double>(), 0.05 * expected.norm().item<double>());
}

TEST(Shrink, ModelFileKeepsShapes) {
  const TempFolder folder;
  const auto file = folder.path() / "s.safetensors";
  auto model = small_reader();
  Shrinker(*model.network, kPlate, {.ratio = 0.5, .multiple = 8}).shrink();
  save_model(model, file);
  const auto loaded = load_model(file);
  const auto images = torch::randn({2, 3, 24, 94});
  EXPECT_TRUE(run(*loaded.network, images).equal(run(*model.network, images)));
  EXPECT_FALSE(loaded.provenance.contains(kShapesKey));

  std::map<std::string, std::string> metadata;
  const auto tensors = read_tensors(file, metadata);
  EXPECT_TRUE(metadata.contains(kShapesKey));
  for (const auto& shapes :
       {R"([1])", R"({"backbone.0.weight": "wide"})", R"({"backbone.0.weight": [64, 3, 3, 3]})",
        R"({"backbone.7.weight": [64, 3, 3, 3]})", R"({})"}) {
    metadata[kShapesKey] = shapes;
    write_safetensors(file, tensors, metadata);
    EXPECT_THROW(load_model(file), Error) << shapes;
  }
}

TEST(Shrink, ShrunkReaderBecomesAGraphNetwork) {
  const TempFolder folder;
  auto model = small_reader();
  Shrinker(*model.network, kPlate, {.ratio = 0.5, .multiple = 8}).shrink();
  const auto images = torch::randn({2, 3, 24, 94});
  const auto expected = run(*model.network, images);
  auto graph = trace(*model.network, open(kPlate));
  simplify(graph);
  model.network = std::make_shared<GraphNetwork>(std::move(graph));
  save_model(model, folder.path() / "g.safetensors");
  const auto loaded = load_model(folder.path() / "g.safetensors");
  EXPECT_TRUE(torch::allclose(run(*loaded.network, images), expected, 1e-3, 1e-3));
  EXPECT_THROW(Shrinker(*loaded.network, kPlate, {.ratio = 0.5}), Error);
}

TEST(Shrink, RoundsEndAtTheSameWidths) {
  auto once = small_reader(1), thrice = small_reader(1);
  const ShrinkConfig config{.ratio = 0.6, .widths = {"backbone.20=68"}};
  auto in_rounds = config;
  in_rounds.steps = 3;
  const auto report = Shrinker(*once.network, kPlate, config).shrink();
  EXPECT_EQ(Shrinker(*thrice.network, kPlate, in_rounds).shrink().widths(), report.widths());
}

TEST(Shrink, ReachesShareOfMacsAndLatency) {
  auto model = small_reader(1);
  const auto by_macs =
      Shrinker(*model.network, kPlate, {.ratio = 0.5, .by = "macs", .steps = 2}).shrink();
  const auto share =
      static_cast<double>(by_macs.after.macs) / static_cast<double>(by_macs.before.macs);
  EXPECT_LE(share, 0.5);
  EXPECT_GT(share, 0.4);
  for (const auto& group : by_macs.groups) {
    const bool allowed =
        group.after.channels % 16 == 0 || group.after.channels == group.before.channels;
    EXPECT_TRUE(allowed) << group.name << " " << group.after.channels;
  }
  auto timed = small_reader(1);
  const auto by_latency =
      Shrinker(*timed.network, kPlate, {.ratio = 0.4, .by = "latency"}).shrink();
  EXPECT_LT(by_latency.after.microseconds, 0.9 * by_latency.before.microseconds);
}

TEST(Shrink, NormsAreEstimatedAnew) {
  auto model = small_reader();
  Calibration plates;
  for (int i = 0; i < 2; ++i) plates.images.push_back(torch::randn({4, 3, 24, 94}));
  Shrinker(*model.network, kPlate, {.ratio = 0.5, .multiple = 8}, plates).shrink();
  const auto own = state_dict(*model.network).at("backbone.1.running_mean").clone();
  size_t next = 0;
  estimate_batch_norm(*model.network, 2, [&] { return plates.images[next++]; });
  EXPECT_TRUE(own.equal(state_dict(*model.network).at("backbone.1.running_mean")));
}

TEST(Shrink, BadInputIsRefused) {
  auto model = small_reader();
  const auto refuses = [&](const ShrinkConfig& config, const std::string& words) {
    try {
      Shrinker(*model.network, kPlate, config).shrink();
      ADD_FAILURE() << "accepted: " << words;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  refuses({}, "nothing to remove");
  refuses({.ratio = 1}, "[0, 1)");
  refuses({.ratio = 0.99, .by = "macs"}, "cannot be reached");
  refuses({.widths = {"backbone.7=8"}}, "known: ");
  refuses({.widths = {"backbone.0=0"}}, "not possible");
  refuses({.widths = {"container.0=8"}}, "output");
  refuses({.widths = {"backbone.0=16"}, .exact = true}, "mean over channels");
  refuses({.ratio = 0.5, .scores = "taylor"}, "--calibrate");
}

// Attention with packed queries, keys and values loses whole heads of all three, the feed-forward
// part its hidden channels, the convolutions in front theirs, and the network goes on with what is
// left.
TEST(Shrink, TransformersLoseHeadsAndHiddenChannels) {
  auto config = tiny_maskocr();
  config.maskocr.stem = 8;
  const auto network = make_network(config, 7, 3);
  const auto graph = trace(*network, {-1, 3, config.height, config.width});
  const ChannelGroups groups(graph);
  auto plan = groups.all();
  bool heads = false, hidden = false, crossed = false, stem = false;
  for (size_t i = 0; i < plan.size(); ++i) {
    const auto& group = groups.groups()[i];
    if (group.name == "encoder.layers.0.attention.qkv") {
      EXPECT_EQ(group.frozen, "");
      EXPECT_EQ(group.channels, config.maskocr.encoder_heads);
      plan[i] = {1};
      heads = true;
    } else if (group.name == "encoder.layers.1.feed.expand") {
      EXPECT_EQ(group.frozen, "");
      plan[i].resize(12);
      hidden = true;
    } else if (group.name == "encoder.patch.stem.conv0") {
      EXPECT_EQ(group.frozen, "");
      plan[i].resize(5);
      stem = true;
    } else if (group.name == "decoder.layers.1.cross.memory") {
      EXPECT_EQ(group.channels, config.maskocr.decoder_heads);
      plan[i] = {0, 2};
      crossed = true;
    }
  }
  ASSERT_TRUE(heads && hidden && crossed && stem);
  const auto after = without_channels(graph, groups, plan);
  select_channels(*network, {1, 3, config.height, config.width}, after);
  const auto weights = state_dict(*network);
  EXPECT_EQ(weights.at("encoder.layers.0.attention.qkv.weight").sizes(), (Shape{3 * 16, 24}));
  EXPECT_EQ(weights.at("encoder.layers.0.attention.out.weight").sizes(), (Shape{24, 16}));
  EXPECT_EQ(weights.at("encoder.layers.1.feed.project.weight").sizes(), (Shape{24, 12}));
  EXPECT_EQ(weights.at("encoder.patch.stem.conv1.weight").sizes(), (Shape{16, 5, 3, 3}));
  EXPECT_EQ(weights.at("decoder.layers.1.cross.memory.weight").sizes(), (Shape{2 * 16, 24}));
  const auto images = torch::randn({2, 3, config.height, config.width});
  EXPECT_TRUE(run(*network, images).allclose(execute(after, {images})[0], 1e-4, 1e-5));
}

}  // namespace
}  // namespace plateforge
