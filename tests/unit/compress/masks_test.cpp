#include "compress/prune/masks.h"

#include <gtest/gtest.h>

#include "configs/error.h"

namespace plateforge {
namespace {

using torch::Tensor;

Tensor bools(const std::vector<int64_t>& values) { return torch::tensor(values).to(torch::kBool); }

TEST(Masks, RemovesTheLowestScores) {
  const auto scores = torch::tensor({0.5F, 0.1F, 0.4F, 0.2F});
  EXPECT_TRUE(mask_lowest(scores, 0.5).equal(bools({1, 0, 1, 0})));
  EXPECT_TRUE(mask_lowest(scores, 0).all().item<bool>());
}

TEST(Masks, TiesFallByPositionAndTheLastWeightStays) {
  const auto equal = torch::ones({4});
  EXPECT_TRUE(mask_lowest(equal, 0.5).equal(bools({0, 0, 1, 1})));
  EXPECT_EQ(mask_lowest(equal, 0.99).sum().item<int64_t>(), 1);
}

TEST(Masks, SmallerRatioKeepsWhatALargerOneKeeps) {
  const auto scores = torch::rand({7, 5, 3, 3});
  const auto few = mask_lowest(scores, 0.3), many = mask_lowest(scores, 0.8);
  EXPECT_TRUE((few | ~many).all().item<bool>());
}

TEST(Masks, PatternKeepsTheHighestOfEachGroupOfInputChannels) {
  // Two kernel places, four input channels: [1, 4, 1, 2].
  const auto scores = torch::tensor({1.F, 8.F, 2.F, 7.F, 3.F, 6.F, 4.F, 5.F}).reshape({1, 4, 1, 2});
  const auto mask = mask_pattern(scores, {2, 4});
  EXPECT_TRUE(mask.equal(bools({0, 1, 0, 1, 1, 0, 1, 0}).reshape({1, 4, 1, 2})));
  const auto dense = torch::rand({6, 8});
  const auto rows = mask_pattern(dense, {1, 4}).reshape({-1, 4}).sum(1);
  EXPECT_TRUE((rows == 1).all().item<bool>());
}

TEST(Masks, PatternIsNOfM) {
  EXPECT_FALSE(parse_pattern("").has_value());
  EXPECT_DOUBLE_EQ(parse_pattern("1:4")->ratio(), 0.75);
  EXPECT_FALSE(parse_pattern("2:4")->fits(torch::zeros({2, 6, 1, 1})));
  for (const char* wrong : {"2", "4:4", "0:4", "2:4x", "-1:4", "x"})
    EXPECT_THROW(parse_pattern(wrong), Error) << wrong;
}

}  // namespace
}  // namespace plateforge
