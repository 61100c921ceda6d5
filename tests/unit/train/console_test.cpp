#include "train/console.h"

#include <gtest/gtest.h>

namespace plateforge {
namespace {

TEST(Console, FormatsAProgressLine) {
  EXPECT_EQ(
      format_progress({.epoch = 3.21,
                       .step = 1200,
                       .steps = 4000,
                       .loss = 0.03124,
                       .lr = 8.1e-4,
                       .images_per_second = 143.4,
                       .seconds_left = 7440,
                       .memory_bytes = 5LL << 28}),
      "epoch 3.2  step 1200/4000  loss 0.0312  lr 8.1e-04  143 img/s  1.2 GiB  2 h 04 min left");
  EXPECT_EQ(format_progress({.epoch = 0, .step = 1}), "epoch 0.0  step 1");
}

TEST(Console, FormatsDurations) {
  EXPECT_EQ(format_duration(45.4), "45 s");
  EXPECT_EQ(format_duration(200), "3 min 20 s");
  EXPECT_EQ(format_duration(3600), "1 h 00 min");
}

TEST(Console, WritesPlainLinesToAFile) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  {
    Console console(file);
    console.show({.epoch = 0, .step = 1});
    console.show({.epoch = 0, .step = 2});
  }
  std::rewind(file);
  char text[128] = {};
  const size_t size = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  EXPECT_EQ(std::string(text, size), "epoch 0.0  step 1\nepoch 0.0  step 2\n");
}

}  // namespace
}  // namespace plateforge
