#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <filesystem>
#include <limits>
#include <set>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "train/reader_data.h"
#include "train/run_setup.h"
#include "train/tasks/reader.h"
#include "train/trainer.h"

namespace plateforge {

namespace fs = std::filesystem;

// The reader's task with accidents: NaN losses, and Ctrl-C in the middle of a step.
class Accidents : public ReaderTask {
 public:
  using ReaderTask::ReaderTask;
  torch::Tensor loss(const Batch& batch) override {
    const auto call = ++calls_;
    if (call == interrupt_at) request_interrupt();
    const auto loss = ReaderTask::loss(batch);
    return nan_at.count(call) > 0 || call >= nan_from
               ? loss * std::numeric_limits<float>::quiet_NaN()
               : loss;
  }
  std::set<int64_t> nan_at;  // calls count from 1
  int64_t nan_from = std::numeric_limits<int64_t>::max();
  int64_t interrupt_at = -1;

 private:
  int64_t calls_ = 0;
};

inline RunConfig tiny_config() {
  RunConfig config;
  config.data.train = "crops:" PLATEFORGE_ROOT "/tests/data/crops";
  config.data.val_fraction = 0.3;
  config.data.batch_size = 4;
  config.data.epoch_samples = 16;
  config.data.workers = 0;
  config.augment.ops.clear();
  config.model.width_multiplier = 0.125;
  config.train.steps = 12;
  config.train.eval_every = 6;
  config.train.log_every = 2;
  config.train.checkpoint_every = 4;
  return config;
}

// What one training process holds, made from the config and the run folder.
struct Process {
  Process(const RunConfig& config, const fs::path& folder)
      : region(Region::load(config.region)),
        data(open_reader_data(config, region, folder / "cache")),
        val(data.val, region, {.strength = 0, .ops = {}}, val_loader_options(config)),
        train(data.train, region, config.augment, train_loader_options(config)),
        start(make_start(config, region)),
        task(start, val,
             {.reading = {},
              .slots = config.slots,
              .teacher = make_teacher(config, region, torch::kCPU)}),
        trainer(config, task, train, torch::kCPU, folder) {
    if (auto pruning =
            make_prune_hook(config, start, plate_exam(data.train, start), torch::kCPU, folder))
      trainer.add_hook(std::move(pruning));
    torch::manual_seed(static_cast<uint64_t>(config.seed));
  }

  Region region;
  ReaderData data;
  Loader val, train;
  Model start;
  Accidents task;
  Trainer trainer;
};

class TrainerTest : public testing::Test {
 protected:
  void SetUp() override { fs::remove_all(root_); }
  void TearDown() override { fs::remove_all(root_); }

  fs::path folder(const std::string& name) const {
    fs::create_directories(root_ / name / "checkpoints");
    return root_ / name;
  }
  // Interrupts a run in that step, resumes it with other random numbers in the air, and expects the
  // files of the uninterrupted run `whole`.
  void expect_exact_resume(const RunConfig& config, const std::string& whole, int64_t step) {
    const auto cut = whole + "-cut";
    {
      Process process(config, folder(cut));
      process.task.interrupt_at = step;
      EXPECT_EQ(process.trainer.run(), Outcome::kInterrupted);
    }
    Process rest(config, folder(cut));
    torch::manual_seed(99);
    rest.trainer.resume();
    EXPECT_EQ(rest.trainer.run(), Outcome::kFinished);
    for (const char* file : {"checkpoints/last.safetensors", "model.safetensors"})
      EXPECT_TRUE(same_bytes(whole, cut, file)) << whole << " " << file;
  }
  bool same_bytes(const std::string& one, const std::string& other, const char* file) const {
    return read_file(root_ / one / file) == read_file(root_ / other / file);
  }

  fs::path root_ = fs::path(testing::TempDir()) / "trainer_test";
};

}  // namespace plateforge
