#include "compress/shrink/channel_groups.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "compress/shrink/channel_scores.h"
#include "compress/shrink/widths.h"
#include "configs/error.h"
#include "models/graph/trace.h"
#include "models/lprnet.h"
#include "tests/support/problem.h"
#include "tests/support/small_nets.h"

namespace plateforge {
namespace {

using Indices = std::vector<int64_t>;

struct Case {
  Graph graph;
  ChannelGroups groups;
  explicit Case(Network& network, Shape shape = {-1, 3, 12, 20})
      : graph(trace(network, shape)), groups(graph) {}

  // "stem 12, inner 4, head 5 fixed"
  std::string text() const {
    std::string out;
    for (const auto& group : groups.groups()) {
      if (!out.empty()) out += ", ";
      out += group.name + ' ' + std::to_string(group.channels);
      if (group.unit > 1) out.append("x").append(std::to_string(group.unit));
      if (!group.frozen.empty()) out += " fixed";
    }
    return out;
  }
  Indices kept(const ChannelPlan& plan, const std::string& tensor, size_t axis) const {
    for (TensorId id = 0; id < graph.tensors.size(); ++id)
      if (graph.tensor(id).name == tensor) return groups.kept(plan, id, axis);
    throw std::logic_error("no tensor " + tensor);
  }
};

TEST(ChannelGroups, SumsTieTheirOperands) {
  ResidualCnn network;
  const Case c(network);
  EXPECT_EQ(c.text(), "stem 8, head 5 fixed");
  const ChannelPlan plan = {{1, 4, 6}, {0, 1, 2, 3, 4}};
  EXPECT_EQ(c.kept(plan, "stem.weight", 0), (Indices{1, 4, 6}));
  EXPECT_EQ(c.kept(plan, "stem.weight", 1), (Indices{0, 1, 2}));
  EXPECT_EQ(c.kept(plan, "body.weight", 0), (Indices{1, 4, 6}));
  EXPECT_EQ(c.kept(plan, "body.weight", 1), (Indices{1, 4, 6}));
  EXPECT_EQ(c.kept(plan, "body.bias", 0), (Indices{1, 4, 6}));
  EXPECT_EQ(c.kept(plan, "head.weight", 1), (Indices{1, 4, 6}));
  EXPECT_EQ(c.kept(plan, "head.weight", 0).size(), 5U);
}

TEST(ChannelGroups, PassThroughUpSampling) {
  PyramidCnn network;
  const Case c(network);
  EXPECT_EQ(c.text(), "fine 8, head 5 fixed");  // the sum ties both levels
  const ChannelPlan plan = {{2, 3, 7}, {0, 1, 2, 3, 4}};
  EXPECT_EQ(c.kept(plan, "coarse.weight", 0), (Indices{2, 3, 7}));
  EXPECT_EQ(c.kept(plan, "head.weight", 1), (Indices{2, 3, 7}));
}

TEST(ChannelGroups, ConcatenationKeepsOffsetsAndFlatteningBlocks) {
  BranchCnn network;
  const Case c(network);
  EXPECT_EQ(c.text(), "left 6, right 4, head 5 fixed");
  const ChannelPlan plan = {{0, 5}, {1}, {0, 1, 2, 3, 4}};
  EXPECT_EQ(c.kept(plan, "depthwise.weight", 0), (Indices{0, 5, 7}));
  EXPECT_EQ(c.kept(plan, "depthwise.weight", 1), (Indices{0}));
  EXPECT_EQ(c.kept(plan, "right.bias", 0), (Indices{1}));
  Indices blocks;  // eight places behind each channel
  for (const int64_t channel : {0, 5, 7})
    for (int64_t place = 0; place < 8; ++place) blocks.push_back(8 * channel + place);
  EXPECT_EQ(c.kept(plan, "head.weight", 1), blocks);
}

TEST(ChannelGroups, SlicesFindTheirChannelsAgain) {
  StridedCnn network;
  const Case c(network);
  EXPECT_EQ(c.text(), "stem 12, inner 4, head 5 fixed");
  // Of the even channels, which go on, 0, 2 and 4 are best, of the odd ones 7, 9 and 11.
  const ChannelScores scores = {
      {12, 1, 11, 2, 10, 3, 4, 9, 5, 8, 6, 7}, {1, 2, 3, 4}, {1, 1, 1, 1, 1}};
  const auto plan = c.groups.best(scores, {6, 2, 5});
  EXPECT_EQ(plan[0], (Indices{0, 7, 2, 9, 4, 11}));
  EXPECT_EQ(plan[1], (Indices{2, 3}));
  EXPECT_EQ(c.kept(plan, "stem.weight", 0), (Indices{0, 7, 2, 9, 4, 11}));
  EXPECT_EQ(c.kept(plan, "inner.weight", 1), (Indices{0, 1, 2}));
  EXPECT_EQ(c.kept(plan, "head.weight", 1), (Indices{0, 7, 2, 9, 4, 11, 14, 15}));
}

TEST(ChannelGroups, GroupedConvolutionsLoseWholeGroups) {
  GroupedCnn network;
  const Case c(network);
  EXPECT_EQ(c.text(), "stem 2x4, head 5 fixed");
  const ChannelPlan plan = {{1}, {0, 1, 2, 3, 4}};
  EXPECT_EQ(c.kept(plan, "stem.weight", 0), (Indices{4, 5, 6, 7}));
  EXPECT_EQ(c.kept(plan, "grouped.weight", 0), (Indices{2, 3}));
  EXPECT_EQ(c.kept(plan, "grouped.weight", 1).size(), 4U);
  EXPECT_EQ(c.kept(plan, "head.weight", 1), (Indices{2, 3}));
}

TEST(ChannelGroups, AttentionLosesWholeHeads) {
  AttentionNet network;
  const Case c(network);
  EXPECT_EQ(c.text(), "embed 12, query 4x4, mix 5 fixed");
  ChannelPlan plan = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {0, 2}, {0, 1, 2, 3, 4}};
  for (const char* name : {"query.weight", "key.bias", "value.weight"})
    EXPECT_EQ(c.kept(plan, name, 0), (Indices{0, 1, 2, 3, 8, 9, 10, 11})) << name;
  EXPECT_EQ(c.kept(plan, "mix.weight", 1), (Indices{0, 1, 2, 3, 8, 9, 10, 11}));
}

TEST(ChannelGroups, DepthwiseLayersAndNormsFollowTheirInput) {
  PlainCnn network(8);
  const Case c(network);
  EXPECT_EQ(c.text(), "body.0 8, head 5 fixed");
  const ChannelPlan plan = {{3, 5}, {0, 1, 2, 3, 4}};
  for (const char* name : {"body.0.weight", "body.1.running_var", "body.5.weight", "body.6.bias"})
    EXPECT_EQ(c.kept(plan, name, 0), (Indices{3, 5})) << name;
  EXPECT_EQ(c.kept(plan, "head.weight", 1), (Indices{3, 5}));
}

TEST(ChannelGroups, WhatIsNotFollowedStays) {
  ContextCnn network(8);  // reads the upper half of its channels as a range
  const Case c(network);
  EXPECT_EQ(c.text(), "conv 8 fixed, head 7 fixed");
  EXPECT_NE(c.groups.groups()[0].frozen.find("reads a range"), std::string::npos);
  EXPECT_TRUE(c.groups.groups()[0].averaged);
}

TEST(ChannelGroups, OfTheReader) {
  const auto network = make_lprnet({}, 68, 1);
  const Case c(*network, {-1, 3, 24, 94});
  EXPECT_EQ(c.text(),
            "backbone.0 64, backbone.4.block.0 32, backbone.4.block.2 32, backbone.4.block.4 32, "
            "backbone.4.block.6 128, backbone.8.block.0 64, backbone.8.block.2 64, "
            "backbone.8.block.4 64, backbone.8.block.6 256, backbone.11.block.0 64, "
            "backbone.11.block.2 64, backbone.11.block.4 64, backbone.11.block.6 256, "
            "backbone.16 256, backbone.20 68, container.0 68 fixed");
  const auto& groups = c.groups.groups();
  EXPECT_EQ(groups[4].slices, (std::vector<ChannelGroup::Slice>{{0, 2}}));
  EXPECT_EQ(groups[12].slices, (std::vector<ChannelGroup::Slice>{{0, 4}}));
  for (size_t i = 0; i < groups.size(); ++i)
    EXPECT_EQ(groups[i].averaged, i == 0 || i == 4 || i == 12 || i == 14) << groups[i].name;
}

TEST(ChannelScores, AreMeanNormsOfTheShares) {
  ResidualCnn network;
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : network.parameters()) parameter.fill_(1);
    network.stem->weight[2].mul_(10);  // stem's norms are then 1, body's and head's equal
  }
  const Case c(network);
  const auto norms = channel_scores(c.graph, c.groups, "norm");
  const double mean = 17.0 / 8;  // of 1 and once 10, relative to the others' norm
  EXPECT_NEAR(norms[0][2], (10 / mean + 1 + 1 + 1) / 4, 1e-6);
  EXPECT_NEAR(norms[0][0], (1 / mean + 1 + 1 + 1) / 4, 1e-6);
  const auto lamp = channel_scores(c.graph, c.groups, "lamp");
  EXPECT_NEAR(lamp[0][2], norms[0][2] * norms[0][2], 1e-6);

  TensorDict gradients;
  for (const auto& item : network.named_parameters())
    gradients[item.key()] = torch::zeros_like(item.value());
  gradients["body.bias"][5] = 3;
  const auto taylor = channel_scores(c.graph, c.groups, "taylor", gradients);
  EXPECT_EQ(taylor[0], (std::vector<double>{0, 0, 0, 0, 0, 3, 0, 0}));
}

TEST(Widths, EvenSharesInMultiples) {
  const auto network = make_lprnet({}, 68, 1);
  const Case c(*network, {-1, 3, 24, 94});
  const auto half = shrink_evenly(c.groups, 0.5, {.multiple = 16, .fixed = {{"backbone.20", 68}}});
  EXPECT_EQ(half,
            (ChannelWidths{32, 16, 16, 16, 64, 32, 32, 32, 128, 32, 32, 32, 128, 128, 68, 68}));
  auto least = ChannelWidths(15, 16);
  least.push_back(68);
  EXPECT_EQ(shrink_evenly(c.groups, 0.99, {.multiple = 16}), least);
  EXPECT_NE(problem_of([&] {
              shrink_evenly(c.groups, 0.01, {.fixed = {{"backbone.20", 68}}});
            }).find("as it is"),
            std::string::npos);
  const WidthRules exact{.exact = true};
  const auto kept = shrink_evenly(c.groups, 0.5, exact);
  EXPECT_EQ(kept,
            (ChannelWidths{64, 16, 16, 16, 128, 32, 32, 32, 128, 32, 32, 32, 256, 128, 68, 68}));
}

// Two groups of equal score, 16 and 4 units of cost per channel: the dearer one goes first, until
// what is left of it is worth more.
TEST(Widths, TheCheapestLossPerCostGoesFirst) {
  StridedCnn network;
  const Case c(network);
  const ChannelScores scores = {std::vector<double>(12, 1), std::vector<double>(4, 1),
                                std::vector<double>(5, 1)};
  const auto cost_of = [](double stem, double inner) {
    return Cost{
        "MACs", [=](const ChannelWidths& widths) {
          return (stem * static_cast<double>(widths[0]) + inner * static_cast<double>(widths[1])) /
                 (12 * stem + 4 * inner);
        }};
  };
  const WidthRules rules{.multiple = 2};
  EXPECT_EQ(shrink_to_cost(c.groups, scores, cost_of(16, 4), 0.5, rules), (ChannelWidths{4, 4, 5}));
  EXPECT_EQ(shrink_to_cost(c.groups, scores, cost_of(1, 100), 0.6, rules),
            (ChannelWidths{12, 2, 5}));
  const auto problem =
      problem_of([&] { shrink_to_cost(c.groups, scores, cost_of(1, 0), 0.1, rules); });
  EXPECT_NE(problem.find("cannot be reached"), std::string::npos);
  EXPECT_NE(problem.find("16.6667 % of the MACs"), std::string::npos) << problem;
}

TEST(Widths, EntriesAreChecked) {
  GroupedCnn network;
  const Case c(network);
  const auto problem = [&](const std::string& entry) {
    return problem_of([&] { read_widths({entry}, c.groups, false); });
  };
  EXPECT_EQ(read_widths({"stem=4", "head=5"}, c.groups, false).at("stem"), 4);
  EXPECT_NE(problem("stern=4").find("did you mean 'stem'"), std::string::npos);
  EXPECT_NE(problem("stem=3").find("multiple of 4"), std::string::npos);
  for (const char* entry : {"stem=0", "stem=12", "stem=-4", "stem=four", "stem", "=4"})
    EXPECT_NE(problem(entry), "") << entry;
  EXPECT_NE(problem("head=4").find("the network's output"), std::string::npos);
}

}  // namespace
}  // namespace plateforge
