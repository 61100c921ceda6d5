#include <torch/utils.h>

#include "compress/prune/pruner.h"
#include "compress/prune/sparsity_report.h"
#include "compress/quantize/quantize.h"
#include "configs/yaml.h"
#include "export/interpreter.h"
#include "export/onnx_export.h"
#include "models/graph/trace.h"
#include "models/graph_network.h"
#include "tests/support/maskocr.h"
#include "tests/support/problem.h"
#include "tests/unit/train/tiny_training.h"
#include "train/preflight.h"
#include "train/stages.h"
#include "train/train_sweep.h"
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

// Cells that are named in one call and in another; the table has all, a cell trains once.
TEST_F(MaskOcrTraining, SweepsGoOnCellByCell) {
  auto config = tiny_slot_reader();
  config.train.steps = config.train.eval_every = 2;
  auto narrow = config;
  narrow.model.maskocr.encoder_layers = 1;
  const std::vector<SweepCell> both = {{"two", config}, {"one", narrow}};
  std::vector<nlohmann::json> results;
  EXPECT_EQ(run_train_sweep({both[1]}, root_ / "sweep", results), Outcome::kFinished);
  EXPECT_EQ(run_train_sweep({both[0]}, root_ / "sweep", results), Outcome::kFinished);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].at("cell"), "one");
  EXPECT_LT(results[0].at("parameters"), results[1].at("parameters"));
  const auto trained = bytes("sweep/one/model.safetensors");
  EXPECT_EQ(run_train_sweep(both, root_ / "sweep", results), Outcome::kFinished);
  EXPECT_EQ(results.size(), 2U);
  EXPECT_EQ(bytes("sweep/one/model.safetensors"), trained);
  narrow.optim.lr = 1e-5;
  EXPECT_NE(problem_of([&] {
              run_train_sweep({{"one", narrow}}, root_ / "sweep", results);
            }).find("was trained with another config"),
            std::string::npos);
}

// Stages that would go on from others' weights are tried from fresh ones.
TEST_F(MaskOcrTraining, DryRunTriesEveryStage) {
  std::map<std::string, std::string> found;
  for (const auto& [name, value] : preflight(staged())) found[name] = value;
  EXPECT_TRUE(found.contains("pretrain: step"));
  EXPECT_EQ(found.at("full: steps").substr(0, 2), "6,");
  auto config = staged();
  config.stages[0].set.push_back("model.maskocr.overlap=true");
  EXPECT_NE(problem_of([&] { preflight(config); }).find("pre-training hides patches"),
            std::string::npos);
}

// Recombination is for what has labels: photographs without any pre-train as they are, and beside
// labelled ones.
TEST_F(MaskOcrTraining, PretrainsOnPicturesWithoutLabels) {
  const std::string crops = PLATEFORGE_ROOT "/tests/data/crops";
  auto config = tiny_slot_reader();
  override_run_config(config, {"task=mae", "model.name=mae", "train.best_by=loss", "train.steps=2",
                               "data.val_fraction=0.6", "data.recombine=0.5"});
  config.data.train = "pictures:" + crops;
  EXPECT_EQ(train_once(config, folder("pictures"), false), Outcome::kFinished);
  config.data.train += "+crops:" + crops;
  const auto mixed = open_pretraining_data(config, Region::load("cn"), root_ / "cache");
  EXPECT_EQ(mixed.train.parts.back().name, "recombined");
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
  config.data.train = "synth:cn?count=16";
  config.data.val = tiny_config().data.train;
  EXPECT_EQ(train_once(config, folder("run"), false), Outcome::kFinished);
  const auto trained = weights("run/model.safetensors");
  const auto start = state_dict(*make_start(config, Region::load("cn")).network);
  for (const auto& [name, tensor] : trained)
    EXPECT_EQ(tensor.equal(start.at(name)), name.starts_with("encoder.")) << name;
}

// Zeros and integers of a transformer, SmoothQuant included: training goes on with both, and the
// file computes what was simulated.
TEST_F(MaskOcrTraining, GoesOnSparseAndQuantised) {
  auto config = tiny_slot_reader();
  const Shape plate = {1, 3, config.model.height, config.model.width};
  ASSERT_EQ(train_once(config, folder("float"), false), Outcome::kFinished);
  auto model = load_model(root_ / "float" / "model.safetensors");
  Pruner pruner(*model.network, plate, {.allocation = "norm_global", .ratio = 0.5}, {});
  model.provenance[kSparsityKey] = write_ratios(pruner.prune());
  torch::manual_seed(1);
  PostTrainingQuantizer quantizer(trace(*model.network, {-1, 3, plate[2], plate[3]}),
                                  {torch::rand({16, 3, plate[2], plate[3]}) * 2 - 1}, {});
  model.network = std::make_shared<GraphNetwork>(quantizer.build({}));
  save_model(model, root_ / "q.safetensors");

  config.model.init_from = (root_ / "q.safetensors").string();
  ASSERT_EQ(train_once(config, folder("qat"), false), Outcome::kFinished);
  const auto before = weights("q.safetensors"), after = weights("qat/model.safetensors");
  int64_t zeros = 0, moved_scales = 0;
  for (const auto& [name, tensor] : before) {
    if (name.ends_with("_scale") && !after.at(name).equal(tensor)) ++moved_scales;
    if (!name.ends_with("weight") || tensor.dim() != 2) continue;
    zeros += (tensor == 0).sum().item<int64_t>();
    EXPECT_TRUE(after.at(name).masked_select(tensor == 0).eq(0).all().item<bool>()) << name;
  }
  EXPECT_GT(zeros, 1000);
  EXPECT_GT(moved_scales, 0);

  const torch::NoGradGuard no_grad;
  const auto trained = load_model(root_ / "qat" / "model.safetensors");
  trained.network->eval();
  const auto images = torch::rand(plate) * 2 - 1;
  const auto simulated = trained.network->forward(images);
  const OnnxInterpreter file(make_onnx(trained, find_profile("int8-u8"), {}), "file");
  EXPECT_TRUE(
      simulated.allclose(file.run(images).at(0), 0, 0.02 * simulated.abs().max().item<double>()));
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
