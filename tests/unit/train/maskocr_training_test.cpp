#include <torch/utils.h>

#include "configs/yaml.h"
#include "tests/support/maskocr.h"
#include "tests/support/problem.h"
#include "tests/unit/train/tiny_training.h"
#include "train/stages.h"
#include "train/training.h"

namespace plateforge {
namespace {

RunConfig tiny_slot_reader() {
  auto config = tiny_config();
  config.task = "slot_reader";
  config.model = tiny_maskocr();
  config.model.height = 16;
  config.model.maskocr.slots = 0;
  config.optim.lr = 3e-3;
  return config;
}

RunConfig staged() {
  auto config = tiny_slot_reader();
  config.stages = {
      {"pretrain", {"task=mae", "model.name=mae", "train.best_by=loss", "train.steps=6"}},
      {"decoder", {"optim.lr_multipliers=[encoder=0]", "train.steps=4"}},
      {"full", {"train.steps=6"}}};
  return config;
}

class MaskOcrTraining : public TrainerTest {
 protected:
  TensorDict weights(const std::string& file) const { return read_tensors(root_ / file); }
  std::string bytes(const std::string& file) const { return read_file(root_ / file); }
};

TEST_F(MaskOcrTraining, StagesHandTheEncoderOn) {
  EXPECT_EQ(train_run(staged(), folder("run"), false), Outcome::kFinished);
  const auto pretrained = weights("run/1-pretrain/model.safetensors");
  const auto frozen = weights("run/2-decoder/model.safetensors");
  const auto full = weights("run/3-full/model.safetensors");
  EXPECT_TRUE(frozen.at("encoder.norm.weight").equal(pretrained.at("encoder.norm.weight")));
  EXPECT_FALSE(full.at("encoder.norm.weight").equal(frozen.at("encoder.norm.weight")));
  EXPECT_EQ(bytes("run/model.safetensors"), bytes("run/3-full/model.safetensors"));
  EXPECT_TRUE(fs::exists(root_ / "run/1-pretrain/pictures/reconstructions-6.png"));
  // What is finished is not trained again.
  EXPECT_EQ(train_run(staged(), root_ / "run", true), Outcome::kFinished);
}

// A network without buffers goes on after it was measured.
TEST_F(MaskOcrTraining, ScheduleFreeGoesOnAfterAValidation) {
  auto config = tiny_slot_reader();
  config.optim.optimizer = "schedule_free_adamw";
  config.train.eval_every = 3;
  EXPECT_EQ(train_run(config, folder("run"), false), Outcome::kFinished);
}

// Out of time after every few steps of every stage: in the end the same bytes.
TEST_F(MaskOcrTraining, AnyStageResumesExactly) {
  ASSERT_EQ(train_run(staged(), folder("whole"), false), Outcome::kFinished);
  auto config = staged();
  config.train.minutes = 1e-9;  // one step, then stop
  folder("cut");
  int rounds = 0;
  auto outcome = Outcome::kOutOfTime;
  for (; outcome == Outcome::kOutOfTime && rounds < 40; ++rounds)
    outcome = train_run(config, root_ / "cut", rounds > 0);
  EXPECT_EQ(outcome, Outcome::kFinished);
  EXPECT_GT(rounds, 10);
  for (const char* stage : {"1-pretrain", "2-decoder", "3-full"}) {
    const auto last = std::string(stage) + "/checkpoints/last.safetensors";
    const auto whole = read_tensors(root_ / "whole" / last),
               cut = read_tensors(root_ / "cut" / last);
    for (const auto& [name, tensor] : whole) {
      if (!name.starts_with("network")) continue;
      EXPECT_TRUE(tensor.equal(cut.at(name))) << stage << name;
    }
  }
}

TEST_F(MaskOcrTraining, LanguageStageLeavesTheEncoderAlone) {
  auto config = tiny_slot_reader();
  config.slots.mask_characters = 0.15;
  config.optim.lr_multipliers = {"encoder=0"};
  EXPECT_EQ(train_once(config, folder("run"), false), Outcome::kFinished);
  const auto trained = weights("run/model.safetensors");
  const auto start = state_dict(*make_start(config, Region::load("cn")).network);
  for (const auto& [name, tensor] : trained)
    EXPECT_EQ(tensor.equal(start.at(name)), name.starts_with("encoder.")) << name;
}

// The student's steps are CTC's and its pictures smaller than the teacher's.
TEST_F(MaskOcrTraining, TeachesLprnetTheTextsThatItReads) {
  ASSERT_EQ(train_once(tiny_slot_reader(), folder("teacher"), false), Outcome::kFinished);
  auto config = tiny_config();
  config.train.steps = 2;
  config.distill.teacher = (root_ / "teacher" / "model.safetensors").string();
  EXPECT_EQ(train_once(config, folder("student"), false), Outcome::kFinished);
  auto slots = tiny_slot_reader();
  slots.distill.teacher = (root_ / "student" / "model.safetensors").string();
  EXPECT_NE(problem_of([&] {
              train_once(slots, folder("wrong"), false);
            }).find("reads by CTC, from which slots cannot learn"),
            std::string::npos);
}

TEST_F(MaskOcrTraining, PretrainedEncoderIsNoReader) {
  auto config = tiny_slot_reader();
  override_run_config(config, {"task=mae", "model.name=mae", "train.best_by=loss"});
  ASSERT_EQ(train_once(config, folder("run"), false), Outcome::kFinished);
  const auto model = load_model(root_ / "run" / "model.safetensors");
  EXPECT_NE(problem_of([&] { plate_exam({}, model); }).find("reads nothing; expected a reader"),
            std::string::npos);
}

TEST_F(MaskOcrTraining, RefusesWhatDoesNotGoTogether) {
  const auto refusal = [&](const std::vector<std::string>& overrides) {
    auto config = tiny_slot_reader();
    override_run_config(config, overrides);
    return problem_of([&] { train_once(config, folder("refused"), false); });
  };
  EXPECT_NE(refusal({"task=ctc_reader"}).find("set task to slot_reader"), std::string::npos);
  EXPECT_NE(refusal({"task=mae", "model.name=mae"}).find("set train.best_by to loss"),
            std::string::npos);
  EXPECT_NE(refusal({"model.maskocr.slots=6"}).find("has 7 characters but the network has 6 slots"),
            std::string::npos);
  EXPECT_NE(
      refusal({"data.train=pictures:" PLATEFORGE_ROOT "/tests/data/crops", "data.val_fraction=0.6"})
          .find("can only pre-train"),
      std::string::npos);
  EXPECT_NE(refusal({"model.maskocr.head=ctc", "task=ctc_reader", "slots.mask_characters=0.1"})
                .find("for task slot_reader"),
            std::string::npos);
}

}  // namespace
}  // namespace plateforge
