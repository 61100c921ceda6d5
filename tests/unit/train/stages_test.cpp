#include "train/stages.h"

#include <gtest/gtest.h>

#include "configs/yaml.h"
#include "models/network.h"
#include "tests/support/problem.h"
#include "train/train_sweep.h"

namespace plateforge {
namespace {

RunConfig staged() {
  return parse_run_config(R"(
optim: {lr: 0.01}
train: {steps: 100}
stages:
  - name: first
    set: [train.steps=7]
  - {name: second, set: ["optim.lr_multipliers=[encoder=0]"]}
  - {name: third, set: [model.init_from=other.safetensors]}
)",
                          "run.yaml");
}

TEST(Stages, GoOnFromTheStageBefore) {
  const auto stages = stages_of(staged(), "runs/x");
  ASSERT_EQ(stages.size(), 3U);
  EXPECT_EQ(stages[0].folder, "runs/x/1-first");
  EXPECT_EQ(stages[0].config.train.steps, 7);
  EXPECT_EQ(stages[0].config.model.init_from, "");
  EXPECT_EQ(stages[1].config.train.steps, 100);
  EXPECT_EQ(stages[1].config.model.init_from, "runs/x/1-first/model.safetensors");
  EXPECT_EQ(stages[1].config.optim.lr_multipliers, (std::vector<std::string>{"encoder=0"}));
  EXPECT_EQ(stages[2].config.model.init_from, "other.safetensors");
  for (const auto& stage : stages) EXPECT_TRUE(stage.config.stages.empty());
}

TEST(Stages, TakeOverridesOfTheirOwn) {
  auto config = staged();
  override_run_config(config, {"stages.first.optim.lr=0.5", "train.log_every=3"});
  const auto stages = stages_of(config, "x");
  EXPECT_EQ(stages[0].config.optim.lr, 0.5);
  EXPECT_EQ(stages[1].config.optim.lr, 0.01);
  EXPECT_EQ(stages[1].config.train.log_every, 3);
  EXPECT_NE(problem_of([&] {
              override_run_config(config, {"stages.forth.optim.lr=1"});
            }).find("no stage 'forth'; known: first second third"),
            std::string::npos);
}

TEST(Stages, SurviveBeingWritten) {
  const auto config = staged();
  const auto again = parse_run_config(write_run_config(config), "config.yaml");
  EXPECT_EQ(write_run_config(again), write_run_config(config));
  EXPECT_EQ(stages_of(again, "x")[0].config.train.steps, 7);
}

TEST(Stages, RefuseWhatIsWrong) {
  auto config = staged();
  config.stages[1].name = "first";
  EXPECT_NE(problem_of([&] { stages_of(config, "x"); }).find("two are called 'first'"),
            std::string::npos);
  config.stages[1].name = "a/b";
  EXPECT_NE(problem_of([&] { stages_of(config, "x"); }).find("cannot be the name of a folder"),
            std::string::npos);
  config.stages[1] = {"second", {"train.stepps=4"}};
  EXPECT_NE(problem_of([&] { stages_of(config, "x"); }).find("unknown key train.stepps"),
            std::string::npos);
}

// The public search, whose files give their networks' parameters in millions.
TEST(TrainSweep, SearchHasTheParametersOfItsTable) {
  const auto sweep = read_train_sweep("maskocr_search.yaml");
  EXPECT_EQ(sweep.cells.size(), 15U);
  for (const auto& [name, millions] : {std::pair{"999", 27.5},
                                       {"v1", 27.5},
                                       {"v2", 32.3},
                                       {"v5", 57.7},
                                       {"v6", 57.7},
                                       {"v7", 57.9},
                                       {"v9", 81.0},
                                       {"v15", 50.2},
                                       {"v18", 42.0}}) {
    const auto cells = sweep_cells(sweep, {name}, {});
    ASSERT_EQ(cells.size(), 1U);
    int64_t parameters = 0;
    for (const auto& tensor : make_network(cells[0].config.model, 68)->parameters())
      parameters += tensor.numel();
    EXPECT_NEAR(static_cast<double>(parameters) / 1e6, millions, 0.06) << name;
  }
  // Cells without pre-training do not mind what it is to look at.
  const auto cells = sweep_cells(sweep, {"v6", "v7"}, {"stages.pretrain.data.train=pictures:x"});
  EXPECT_EQ(cells[0].config.stages[0].set.back(), "data.train=pictures:x");
  EXPECT_TRUE(cells[1].config.stages.empty());
  EXPECT_NE(problem_of([&] {
              sweep_cells(sweep, {}, {"stages.pretrian.train.steps=1"});
            }).find("no stage 'pretrian'"),
            std::string::npos);
  EXPECT_NE(
      problem_of([&] { sweep_cells(sweep, {"v99"}, {}); }).find("no such cell; known: 999 v1 v2"),
      std::string::npos);
}

}  // namespace
}  // namespace plateforge
