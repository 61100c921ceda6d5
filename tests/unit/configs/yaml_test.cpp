#include "configs/yaml.h"

#include <gtest/gtest.h>

#include <functional>

#include "configs/error.h"
#include "configs/paths.h"
#include "configs/prune_sweep.h"
#include "configs/train_sweep.h"

namespace plateforge {
namespace {

std::string error_of(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  try {
    parse_run_config(yaml, "run.yaml", overrides);
  } catch (const Error& problem) {
    return problem.what();
  }
  return "no error";
}

TEST(Yaml, AbsentKeysKeepTheirDefaults) {
  const auto config = parse_run_config("optim:\n  lr: 0.5\n", "run.yaml");
  EXPECT_EQ(config.optim.lr, 0.5);
  EXPECT_EQ(config.optim.beta1, OptimConfig().beta1);
  EXPECT_EQ(write_run_config(parse_run_config("", "run.yaml")), write_run_config(RunConfig()));
}

TEST(Yaml, WrittenAndReadAgainIsUnchanged) {
  RunConfig config;
  config.region = "a: b # c";
  config.data.train = "crops:/d/a@2+csv:\"x\"\n";
  config.data.val = "1e5";
  config.optim.lr = 0.1 + 0.2;  // 0.30000000000000004
  config.optim.eps = 5e-324;
  config.optim.min_lr = 1.0 / 3;
  config.optim.step_milestones = {1, 20, 300};
  config.optim.lr_multipliers = {"backbone=0.1", "true", ""};
  config.augment.ops = {{"blur", 0.1, 2.0}, {"jpeg", 1, 0}};
  config.model.stn = true;
  const auto text = write_run_config(config);
  const auto again = parse_run_config(text, "again");
  EXPECT_EQ(write_run_config(again), text);
  EXPECT_EQ(again.region, config.region);
  EXPECT_EQ(again.data.train, config.data.train);
  EXPECT_EQ(again.data.val, config.data.val);
  EXPECT_EQ(again.optim.lr, config.optim.lr);
  EXPECT_EQ(again.optim.eps, config.optim.eps);
  EXPECT_EQ(again.optim.min_lr, config.optim.min_lr);
  EXPECT_EQ(again.optim.step_milestones, config.optim.step_milestones);
  EXPECT_EQ(again.optim.lr_multipliers, config.optim.lr_multipliers);
  ASSERT_EQ(again.augment.ops.size(), 2U);
  EXPECT_EQ(again.augment.ops[1].op, "jpeg");
  EXPECT_TRUE(again.model.stn);
}

TEST(Yaml, UnknownKeysAreAllNamedWithTheNearest) {
  const auto text = error_of("optim:\n  lr: 0.1\n  weight_deacy: 1\ntrian: {}\n");
  EXPECT_NE(
      text.find("run.yaml, line 3: unknown key optim.weight_deacy; did you mean 'weight_decay'? "
                "known: optimizer, lr,"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("run.yaml, line 4: unknown key trian; did you mean 'train'? known: task,"),
            std::string::npos)
      << text;
}

TEST(Yaml, WrongValuesSayWhereAndWhatWasExpected) {
  EXPECT_EQ(error_of("optim: {lr: fast}"),
            "run.yaml, line 1: optim.lr expected a number, got 'fast'");
  EXPECT_EQ(error_of("optim: {lr: \"0.1\"}"),
            "run.yaml, line 1: optim.lr expected a number, got '0.1'");
  EXPECT_EQ(error_of("optim: {lr: .nan}"),
            "run.yaml, line 1: optim.lr expected a number, got '.nan'");
  EXPECT_EQ(error_of("\noptim: {lr: 11}"), "run.yaml, line 2: optim.lr = 11 is outside [0, 10]");
  EXPECT_EQ(error_of("seed: 1.5"), "run.yaml, line 1: seed expected an integer, got '1.5'");
  EXPECT_EQ(error_of("seed: 99999999999999999999"),
            "run.yaml, line 1: seed expected an integer, got '99999999999999999999'");
  EXPECT_EQ(error_of("model: {stn: yes}"),
            "run.yaml, line 1: model.stn expected true or false, got 'yes'");
  EXPECT_EQ(error_of("optim: 3"),
            "run.yaml, line 1: optim expected a section (key: value), got '3'");
  EXPECT_EQ(error_of("region: [a]"), "run.yaml, line 1: region expected text, got a list");
  EXPECT_EQ(
      error_of("optim: {step_milestones: 3}"),
      "run.yaml, line 1: optim.step_milestones expected a list ([a, b] or one '- ' per line), got "
      "'3'");
  EXPECT_EQ(error_of("optim: {step_milestones: [3, -1]}"),
            "run.yaml, line 1: optim.step_milestones[1] = -1 is outside [0, 1e+09]");
  EXPECT_EQ(
      error_of("optim: {optimizer: adam}"),
      "run.yaml, line 1: optim.optimizer = 'adam' is not one of its values; did you mean 'adamw'? "
      "known: adamw, schedule_free_adamw");
  EXPECT_EQ(error_of("augment:\n  ops:\n    - {op: blur, probability: 2}"),
            "run.yaml, line 3: augment.ops[0].probability = 2 is outside [0, 1]");
  EXPECT_EQ(error_of("seed: 1\nseed: 2"), "run.yaml, line 2: seed is given twice");
  EXPECT_EQ(error_of("seed: [1\n").substr(0, 42), "run.yaml, line 2: this is not valid YAML: ");
}

TEST(Yaml, OverridesAreReadOverTheFile) {
  const auto config = parse_run_config(
      "optim: {lr: 0.5, beta1: 0.8}", "run.yaml",
      {"optim.lr=0.25", "augment.ops=[{op: blur}]", "data.val=", "region=a=b", "optim.lr=0.125"});
  EXPECT_EQ(config.optim.lr, 0.125);
  EXPECT_EQ(config.optim.beta1, 0.8);
  EXPECT_EQ(config.augment.ops.at(0).op, "blur");
  EXPECT_EQ(config.data.val, "");
  EXPECT_EQ(config.region, "a=b");
}

TEST(Yaml, OverrideMistakes) {
  EXPECT_EQ(error_of("", {"optim.lr=x"}), "--set optim.lr=x: optim.lr expected a number, got 'x'");
  EXPECT_EQ(error_of("", {"optim"}), "--set optim: expected section.key=value");
  EXPECT_EQ(error_of("", {"optim..lr=1"}), "--set optim..lr=1: expected section.key=value");
  EXPECT_EQ(error_of("", {"modle.stn=true"}).substr(0, 68),
            "--set modle.stn=true: unknown key modle; did you mean 'model'? known");
}

TEST(Yaml, ModelConfigRoundTrip) {
  ModelConfig config;
  config.width_multiplier = 0.3;
  config.head = "t88";
  EXPECT_EQ(write_model_config(parse_model_config(write_model_config(config), "model")),
            write_model_config(config));
}

TEST(Yaml, EveryShippedConfigIsRead) {
  const auto names = known_configs("");
  EXPECT_FALSE(names.empty());
  for (const auto& name : names) {
    if (name == "prune_sweep")
      EXPECT_NO_THROW(read_prune_sweep(name));
    else if (name == "maskocr_search")
      EXPECT_NO_THROW(read_train_sweep(name));
    else
      EXPECT_NO_THROW(read_run_config(name)) << name;
  }
}

TEST(Yaml, OptionTablesNameEverySection) {
  const auto tables = option_tables();
  EXPECT_NE(tables.find("| `lr` | `0.001` | [0, 10] | peak learning rate |"), std::string::npos);
  EXPECT_NE(tables.find("**augment.ops[]**"), std::string::npos);
  EXPECT_NE(region_tables().find("| `background` | `#003ca0` | colour |"), std::string::npos);
}

}  // namespace
}  // namespace plateforge
