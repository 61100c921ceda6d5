#include "train/run_log.h"

#include <gtest/gtest.h>

#include "configs/atomic_file.h"
#include "configs/error.h"

namespace plateforge {
namespace {

class RunLogTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(file_); }
  void TearDown() override { std::filesystem::remove(file_); }
  std::filesystem::path file_ = std::filesystem::path(testing::TempDir()) / "run_log_test.jsonl";
};

TEST_F(RunLogTest, AppendsOneObjectPerLine) {
  RunLog log(file_);
  log.append({{"step", 1}, {"loss", 0.5}});
  log.append({{"step", 2}, {"loss", std::numeric_limits<double>::quiet_NaN()}});
  EXPECT_EQ(read_file(file_), "{\"loss\":0.5,\"step\":1}\n{\"loss\":null,\"step\":2}\n");
}

TEST_F(RunLogTest, AResumedRunHasEachStepOnce) {
  {
    RunLog log(file_);
    for (int step = 10; step <= 50; step += 10) log.append({{"step", step}});
  }
  std::ofstream(file_, std::ios::app) << "{\"step\": 6";  // killed while writing
  RunLog log(file_);
  log.truncate_after(30);
  log.append({{"step", 40}});
  EXPECT_EQ(read_file(file_), "{\"step\":10}\n{\"step\":20}\n{\"step\":30}\n{\"step\":40}\n");
}

TEST_F(RunLogTest, RefusesAForeignFile) {
  std::ofstream(file_) << "step,loss\n1,2\n";
  RunLog log(file_);
  EXPECT_THROW(log.truncate_after(1), Error);
  EXPECT_EQ(read_file(file_), "step,loss\n1,2\n");
}

TEST_F(RunLogTest, AFolderThatCannotBeWrittenIsAnError) {
  EXPECT_THROW(RunLog("/nonexistent/metrics.jsonl"), Error);
}

}  // namespace
}  // namespace plateforge
