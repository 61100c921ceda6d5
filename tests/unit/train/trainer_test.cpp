#include <torch/utils.h>

#include "tests/unit/train/tiny_training.h"

namespace plateforge {
namespace {

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

TEST_F(TrainerTest, TheLastWeightsMayBeTheChosen) {
  auto config = tiny_config();
  config.optim.lr = 0.05;  // learns nothing: the best are early ones
  config.train.eval_every = 1;
  for (const char* best_by : {"loss", "last"}) {
    config.train.best_by = best_by;
    Process process(config, folder(best_by));
    process.trainer.run();
    const auto kept = read_tensors(root_ / best_by / "model.safetensors");
    const auto last = read_tensors(root_ / best_by / "checkpoints" / "last.safetensors");
    const bool is_last = std::string(best_by) == "last";
    EXPECT_EQ(process.trainer.state().best_step == config.train.steps, is_last);
    EXPECT_EQ(kept.at("container.0.weight").equal(last.at("network/container.0.weight")), is_last);
  }
}

TEST(BestWeights, OfEqualsTheSmallerLossAndOfErrorsTheFewer) {
  TrainState state{.step = 1};
  const auto takes = [&](const BestWeights& best, double value, double loss) {
    ++state.step;
    return best.take({{"exact_match", value}, {"cer", value}, {"loss", loss}}, state);
  };
  const BestWeights by_share({.best_by = "exact_match"});
  EXPECT_TRUE(takes(by_share, 0.0, 2.0));
  EXPECT_TRUE(takes(by_share, 0.5, 3.0));
  EXPECT_FALSE(takes(by_share, 0.5, 3.0));
  EXPECT_TRUE(takes(by_share, 0.5, 2.5));
  EXPECT_EQ(by_share.line(state), "best exact_match 0.500000 at step 5");
  const BestWeights by_errors({.best_by = "cer"});
  EXPECT_FALSE(takes(by_errors, 0.6, 1.0));
  EXPECT_TRUE(takes(by_errors, 0.4, 9.0));
  const BestWeights last({.best_by = "last"});
  EXPECT_TRUE(takes(last, 1.0, 99.0));
  EXPECT_EQ(last.line(state), "last weights, of step 8");
  EXPECT_THROW(BestWeights({.best_by = "last", .early_stopping = 2}), Error);
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
