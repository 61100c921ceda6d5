#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "compress/prune/pruner.h"
#include "compress/prune/sparsity_report.h"
#include "compress/quantize/quantize.h"
#include "compress/shrink/shrink.h"
#include "export/interpreter.h"
#include "export/onnx_export.h"
#include "models/graph/trace.h"
#include "models/graph_network.h"
#include "tests/unit/train/tiny_training.h"

namespace plateforge {
namespace {

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
    expect_exact_resume(config, name, 5);
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
  expect_exact_resume(config, "run", 7);
  const auto trained = load_model(root_ / "run" / "model.safetensors");
  for (const auto& [name, tensor] : state_dict(*trained.network))
    EXPECT_EQ(tensor.sizes(), start.at(name).sizes()) << name;
}

TEST_F(ShrunkTraining, AnotherAlphabetIsRefused) {
  const auto config = shrunk_config();
  EXPECT_THROW(make_start(config, Region::load("de")), Error);
}

const Shape kPlate = {-1, 3, 24, 94};

class QuantizedTraining : public TrainerTest {
 protected:
  // A start that is sparse and quantised; the dense float network is the teacher.
  RunConfig quantized_config() {
    auto config = tiny_config();
    Process(config, folder("dense")).trainer.run();
    const auto dense = root_ / "dense" / "model.safetensors", quantized = root_ / "q.safetensors";
    auto model = load_model(dense);
    Pruner pruner(*model.network, {1, 3, 24, 94}, {.allocation = "norm_global", .ratio = 0.6}, {});
    model.provenance[kSparsityKey] = write_ratios(pruner.prune());
    torch::manual_seed(1);
    PostTrainingQuantizer quantizer(trace(*model.network, kPlate),
                                    {torch::rand({16, 3, 24, 94}) * 2 - 1}, {});
    model.network = std::make_shared<GraphNetwork>(quantizer.build({}));
    save_model(model, quantized);
    config.model.init_from = quantized.string();
    config.distill.teacher = dense.string();
    config.optim.ema_decay = 0.9;
    return config;
  }

  // Largest change of the tensors whose name ends so, relative to the start.
  double largest_change(const std::string& run, const std::string& ending) const {
    const auto before = read_tensors(root_ / "q.safetensors");
    double largest = 0;
    for (const auto& [name, tensor] : read_tensors(root_ / run / "model.safetensors"))
      if (name.ends_with(ending))
        largest = std::max(largest, ((tensor - before.at(name)).abs() / before.at(name).abs())
                                        .nan_to_num(0, 0, 0)
                                        .max()
                                        .item<double>());
    return largest;
  }
};

TEST_F(QuantizedTraining, ResumesToTheSameBytesWithLearnedAndWithFrozenScales) {
  auto config = quantized_config();
  for (const char* scales : {"learned", "frozen"}) {
    config.optim.quantizer_scales = scales;
    Process(config, folder(scales)).trainer.run();
    expect_exact_resume(config, scales, 7);
    EXPECT_GT(largest_change(scales, ".weight"), 0) << scales;
  }
  EXPECT_GT(largest_change("learned", "_scale"), 0);
  EXPECT_EQ(largest_change("frozen", "_scale"), 0);
}

TEST_F(QuantizedTraining, KeepsZerosAndTheFileComputesWhatWasSimulated) {
  Process(quantized_config(), folder("run")).trainer.run();
  const torch::NoGradGuard no_grad;
  const auto start = read_tensors(root_ / "q.safetensors");
  const auto trained = read_tensors(root_ / "run" / "model.safetensors");
  EXPECT_GT(count_zeros(start, ""), 0);
  for (const auto& [name, tensor] : start) {
    if (tensor.dim() != 4) continue;
    EXPECT_TRUE(trained.at(name).masked_select(tensor == 0).eq(0).all().item<bool>()) << name;
  }
  auto model = load_model(root_ / "run" / "model.safetensors");
  model.network->eval();
  const OnnxInterpreter file(make_onnx(model, find_profile("int8-u8"), {}), "file");
  const auto images = torch::rand({1, 3, 24, 94}) * 2 - 1;
  const auto simulated = model.network->forward(images);
  const auto output_step = trained.at("container.0_scale").item<double>();
  const auto& nodes = std::dynamic_pointer_cast<GraphNetwork>(model.network)->graph().nodes;
  const auto layers = std::ranges::count_if(nodes, [](const Node& n) { return n.as<op::Conv>(); });
  EXPECT_LE((simulated - file.run(images).at(0)).abs().max().item<double>(),
            static_cast<double>(layers) * output_step);
}

}  // namespace
}  // namespace plateforge
