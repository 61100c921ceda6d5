#include "train/character_masks.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace plateforge {
namespace {

// Seven characters on 24 strips: the first lies at the left edge, the last at the right.
TEST(CharacterMasks, HideTheStripsOfTheTaughtCharacters) {
  const auto region = Region::load("cn");
  const PatchGrid grid{48, 8, 1, 24};
  torch::manual_seed(1);
  std::vector<int64_t> times(7, 0);
  for (int round = 0; round < 200; ++round) {
    const auto masks = draw_character_masks({"皖A12345", "皖AD12345"}, region, grid, 8, 0.15);
    ASSERT_EQ(masks.hidden.sizes(), (std::vector<int64_t>{2, 24}));
    ASSERT_EQ(masks.taught.sizes(), (std::vector<int64_t>{2, 8}));
    ASSERT_EQ(masks.taught[0].sum().item<int64_t>(), 1);
    const auto slot = masks.taught[0].to(torch::kInt).argmax().item<int64_t>();
    ++times.at(static_cast<size_t>(slot));
    const auto columns = masks.hidden[0].nonzero();
    const auto first = columns.min().item<int64_t>(), last = columns.max().item<int64_t>();
    EXPECT_LE(last - first, 4);
    EXPECT_EQ(columns.size(0), last - first + 1);
    EXPECT_NEAR(static_cast<double>(first + last) / 2, 1.5 + 3.5 * static_cast<double>(slot), 1.6);
  }
  for (const auto count : times) EXPECT_GT(count, 5);
}

TEST(CharacterMasks, HideAShare) {
  const auto region = Region::load("cn");
  const PatchGrid grid{48, 8, 1, 24};
  const auto masks = draw_character_masks({"皖A12345"}, region, grid, 8, 0.6);
  EXPECT_EQ(masks.taught.sum().item<int64_t>(), 4);
  const auto none = draw_character_masks({"皖皖皖"}, region, grid, 8, 0.6);
  EXPECT_EQ(none.taught.sum().item<int64_t>(), 0);
  EXPECT_EQ(none.hidden.sum().item<int64_t>(), 0);
}

}  // namespace
}  // namespace plateforge
