#include "train/trainer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <limits>
#include <set>

#include "compress/shrink.h"
#include "configs/atomic_file.h"
#include "configs/error.h"
#include "train/reader_data.h"
#include "train/run_setup.h"
#include "train/tasks/ctc_reader.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

// The reader's task with accidents: NaN losses, and Ctrl-C in the middle of a step.
class Accidents : public CtcReaderTask {
 public:
  using CtcReaderTask::CtcReaderTask;
  torch::Tensor loss(const Batch& batch) override {
    const auto call = ++calls_;
    if (call == interrupt_at) request_interrupt();
    const auto loss = CtcReaderTask::loss(batch);
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

RunConfig tiny_config() {
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
        task(start, val, {}, make_teacher(config, region, torch::kCPU)),
        trainer(config, task, train, torch::kCPU, folder) {
    if (auto pruning = make_prune_hook(config, start, data.train, {}, folder))
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
  bool same_bytes(const std::string& one, const std::string& other, const char* file) const {
    return read_file(root_ / one / file) == read_file(root_ / other / file);
  }

  fs::path root_ = fs::path(testing::TempDir()) / "trainer_test";
};

TEST_F(TrainerTest, OneNanGoesBackToTheCheckpointAtHalfTheRate) {
  Process process(tiny_config(), folder("run"));
  process.task.nan_at = {6};
  EXPECT_EQ(process.trainer.run(), Outcome::kFinished);
  const auto& state = process.trainer.state();
  EXPECT_EQ(state.step, 12);
  EXPECT_EQ(state.rollbacks, 1);
  EXPECT_EQ(state.lr_scale, 0.5);
  for (const auto& parameter : process.task.network().parameters())
    EXPECT_TRUE(torch::isfinite(parameter).all().item<bool>());
}

TEST_F(TrainerTest, NanThatStaysIsOneErrorWithADiagnosisAndAGoodCheckpoint) {
  const auto config = tiny_config();
  {
    Process process(config, folder("run"));
    process.task.nan_from = 6;
    try {
      process.trainer.run();
      FAIL() << "trained on NaN";
    } catch (const Error& error) {
      const std::string said = error.what();
      EXPECT_NE(said.find("diverged"), std::string::npos) << said;
      EXPECT_NE(said.find("optim.lr"), std::string::npos) << said;
    }
  }
  Process healthy(config, folder("run"));
  healthy.trainer.resume();
  EXPECT_EQ(healthy.trainer.state().step, 4);
  EXPECT_EQ(healthy.trainer.state().rollbacks, 3);
  EXPECT_EQ(healthy.trainer.run(), Outcome::kFinished);
}

TEST_F(TrainerTest, EarlyStoppingEndsTheRun) {
  auto config = tiny_config();
  config.optim.lr = 0.05;  // learns nothing
  config.train.early_stopping = 1;
  config.train.eval_every = 1;
  config.train.steps = 400;
  Process process(config, folder("run"));
  EXPECT_EQ(process.trainer.run(), Outcome::kFinished);
  EXPECT_LT(process.trainer.state().step, 400);
  EXPECT_EQ(process.trainer.state().not_better, 1);
}

TEST_F(TrainerTest, TimeLimitBeforeTheFirstValidationLeavesAModel) {
  auto config = tiny_config();
  config.train.minutes = 1e-9;
  Process process(config, folder("run"));
  EXPECT_EQ(process.trainer.run(), Outcome::kOutOfTime);
  EXPECT_EQ(process.trainer.state().best_step, 1);
  EXPECT_TRUE(fs::exists(root_ / "run" / "model.safetensors"));
}

TEST_F(TrainerTest, DamagedCheckpointGoesOnFromThePreviousOneToTheSameBytes) {
  const auto config = tiny_config();
  Process(config, folder("whole")).trainer.run();
  {
    Process process(config, folder("cut"));
    process.task.interrupt_at = 10;
    EXPECT_EQ(process.trainer.run(), Outcome::kInterrupted);
  }
  fs::resize_file(root_ / "cut" / "checkpoints" / "last.safetensors", 5000);
  Process rest(config, folder("cut"));
  rest.trainer.resume();
  EXPECT_EQ(rest.trainer.state().step, 8);
  rest.trainer.run();
  EXPECT_TRUE(same_bytes("whole", "cut", "checkpoints/last.safetensors"));
  fs::resize_file(root_ / "cut" / "checkpoints" / "last.safetensors", 5000);
  fs::resize_file(root_ / "cut" / "checkpoints" / "previous.safetensors", 5000);
  Process none(config, folder("cut"));
  EXPECT_THROW(none.trainer.resume(), Error);
}

// Every update rule and schedule keeps all it needs in the checkpoint.
struct Recipe {
  const char* optimizer;
  const char* schedule;
  const char* precision;
  int64_t accumulate;
  double ema_decay;
};

class ResumeIsExact : public TrainerTest, public testing::WithParamInterface<Recipe> {};

TEST_P(ResumeIsExact, AfterAnInterruptedStep) {
  const auto& recipe = GetParam();
  auto config = tiny_config();
  config.optim.optimizer = recipe.optimizer;
  config.optim.schedule = recipe.schedule;
  config.optim.accumulate = recipe.accumulate;
  config.optim.ema_decay = recipe.ema_decay;
  config.optim.clip_norm = 1;
  config.runtime.precision = recipe.precision;
  Process(config, folder("whole")).trainer.run();
  {
    Process process(config, folder("halves"));
    process.task.interrupt_at = 7 * recipe.accumulate;
    EXPECT_EQ(process.trainer.run(), Outcome::kInterrupted);
    EXPECT_EQ(process.trainer.state().step, 7);
  }
  Process rest(config, folder("halves"));
  torch::manual_seed(99);  // the generator's state comes from the checkpoint
  rest.trainer.resume();
  EXPECT_EQ(rest.trainer.run(), Outcome::kFinished);
  for (const char* file : {"checkpoints/last.safetensors", "model.safetensors"})
    EXPECT_TRUE(same_bytes("whole", "halves", file)) << file;
}

// Weights of the network that a model file or checkpoint holds are zero where they should be.
int64_t count_zeros(const TensorDict& tensors, const std::string& prefix) {
  int64_t zeros = 0;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix) && name.ends_with(".weight") && tensor.dim() == 4)
      zeros += tensor.numel() - tensor.count_nonzero().item<int64_t>();
  return zeros;
}

class PrunedTraining : public TrainerTest {
 protected:
  // A trained start, which also is the teacher.
  RunConfig pruned_config() {
    auto config = tiny_config();
    Process(config, folder("dense")).trainer.run();
    const auto dense = (root_ / "dense" / "model.safetensors").string();
    config.model.init_from = config.distill.teacher = dense;
    config.prune = {.allocation = "norm_global", .ratio = 0.6, .end = 8, .every = 2};
    config.optim.ema_decay = 0.9;
    return config;
  }
};

TEST_F(PrunedTraining, ResumesToTheSameBytesInTheMiddleOfTheRamp) {
  auto config = pruned_config();
  for (const char* optimizer : {"adamw", "schedule_free_adamw"}) {
    const std::string name = optimizer;
    config.optim.optimizer = optimizer;
    config.optim.schedule = "constant";
    if (name != "adamw") config.optim.ema_decay = 0;
    Process(config, folder(name)).trainer.run();
    {
      Process process(config, folder(name + "-cut"));
      process.task.interrupt_at = 5;
      EXPECT_EQ(process.trainer.run(), Outcome::kInterrupted);
    }
    Process rest(config, folder(name + "-cut"));
    torch::manual_seed(99);
    rest.trainer.resume();
    EXPECT_EQ(rest.trainer.run(), Outcome::kFinished);
    for (const char* file : {"checkpoints/last.safetensors", "model.safetensors"})
      EXPECT_TRUE(same_bytes(name, name + "-cut", file)) << name << " " << file;
  }
}

TEST_F(PrunedTraining, KeepsTheZerosOfWeightsMomentsAndAverage) {
  const auto config = pruned_config();
  Process(config, folder("run")).trainer.run();
  std::map<std::string, std::string> metadata;
  const auto checkpoint = read_tensors(root_ / "run" / "checkpoints" / "last.safetensors");
  const auto model = read_tensors(root_ / "run" / "model.safetensors", metadata);
  const auto zeros = count_zeros(model, "");
  int64_t weights = 0;
  for (const auto& [name, tensor] : model)
    if (name.ends_with(".weight") && tensor.dim() == 4) weights += tensor.numel();
  EXPECT_NEAR(static_cast<double>(zeros) / static_cast<double>(weights), 0.6, 0.01);
  EXPECT_NE(metadata.at("sparsity").find("backbone.20"), std::string::npos);
  EXPECT_EQ(count_zeros(checkpoint, "network/"), zeros);
  EXPECT_GE(count_zeros(checkpoint, "ema/"), zeros);
  for (const auto& [name, tensor] : checkpoint) {
    const auto moment = checkpoint.find("optimizer/exp_avg/" + name.substr(name.find('/') + 1));
    if (!name.starts_with("network/") || tensor.dim() != 4) continue;
    EXPECT_TRUE(moment->second.masked_select(tensor == 0).eq(0).all().item<bool>()) << name;
  }
}

TEST_F(PrunedTraining, FineTuningASparseFileKeepsItsZeros) {
  auto config = pruned_config();
  Process(config, folder("sparse")).trainer.run();
  config.model.init_from = (root_ / "sparse" / "model.safetensors").string();
  config.prune = {};
  config.distill = {};
  Process(config, folder("tuned")).trainer.run();
  const auto before = read_tensors(root_ / "sparse" / "model.safetensors");
  const auto after = read_tensors(root_ / "tuned" / "model.safetensors");
  EXPECT_EQ(count_zeros(after, ""), count_zeros(before, ""));
  for (const auto& [name, tensor] : before) {
    if (tensor.dim() != 4) continue;
    EXPECT_TRUE(after.at(name).masked_select(tensor == 0).eq(0).all().item<bool>()) << name;
  }
}

TEST_F(PrunedTraining, TheBestWeightsArePrunedOnes) {
  auto config = pruned_config();
  config.train.eval_every = 2;  // most validations lie on the ramp
  Process process(config, folder("run"));
  process.trainer.run();
  EXPECT_GE(process.trainer.state().best_step, 8);
}

TEST_F(PrunedTraining, SchedulesThatCutOftenNeedMagnitude) {
  auto config = pruned_config();
  config.prune.scores = "second_order";
  EXPECT_THROW(Process(config, folder("run")), Error);
  config.prune.schedule = "one_shot";
  config.prune.calibration = 16;
  config.train.steps = 2;
  config.data.val_fraction = 0.1;
  config.data.train += "+ccpd:" PLATEFORGE_ROOT "/tests/data/ccpd";
  EXPECT_NO_THROW(Process(config, folder("once")));
}

class ShrunkTraining : public TrainerTest {
 protected:
  // A start that lost channels; the whole network is the teacher.
  RunConfig shrunk_config() {
    auto config = tiny_config();
    config.model.width_multiplier = 0.25;
    Process(config, folder("whole")).trainer.run();
    const auto whole = root_ / "whole" / "model.safetensors", shrunk = root_ / "shrunk.safetensors";
    auto model = load_model(whole);
    Shrinker(*model.network, {1, 3, 24, 94}, {.ratio = 0.5, .multiple = 8}).shrink();
    save_model(model, shrunk);
    config.model.init_from = shrunk.string();
    config.distill.teacher = whole.string();
    config.optim.ema_decay = 0.9;
    return config;
  }
};

TEST_F(ShrunkTraining, StartsFromTheFileAndResumesToTheSameBytes) {
  const auto config = shrunk_config();
  const auto start = state_dict(*make_start(config, Region::load("cn")).network);
  for (const auto& [name, tensor] : read_tensors(config.model.init_from))
    EXPECT_TRUE(start.at(name).equal(tensor)) << name;
  Process(config, folder("run")).trainer.run();
  {
    Process process(config, folder("cut"));
    process.task.interrupt_at = 7;
    EXPECT_EQ(process.trainer.run(), Outcome::kInterrupted);
  }
  Process rest(config, folder("cut"));
  torch::manual_seed(99);
  rest.trainer.resume();
  EXPECT_EQ(rest.trainer.run(), Outcome::kFinished);
  for (const char* file : {"checkpoints/last.safetensors", "model.safetensors"})
    EXPECT_TRUE(same_bytes("run", "cut", file)) << file;
  const auto trained = load_model(root_ / "run" / "model.safetensors");
  for (const auto& [name, tensor] : state_dict(*trained.network))
    EXPECT_EQ(tensor.sizes(), start.at(name).sizes()) << name;
}

TEST_F(ShrunkTraining, AnotherAlphabetIsRefused) {
  const auto config = shrunk_config();
  EXPECT_THROW(make_start(config, Region::load("de")), Error);
}

INSTANTIATE_TEST_SUITE_P(Recipes, ResumeIsExact,
                         testing::Values(Recipe{"adamw", "one_cycle", "fp32", 1, 0.9},
                                         Recipe{"adamw", "plateau", "fp32", 2, 0},
                                         Recipe{"adamw", "cosine", "bf16", 1, 0.9},
                                         Recipe{"adamw", "step", "fp32", 1, 0},
                                         Recipe{"schedule_free_adamw", "constant", "fp32", 1, 0}),
                         [](const auto& recipe) {
                           return std::string(recipe.param.optimizer) + "_" +
                                  recipe.param.schedule + "_" + recipe.param.precision;
                         });

}  // namespace
}  // namespace plateforge
