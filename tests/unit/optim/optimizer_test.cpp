#include "optim/optimizer.h"

#include <gtest/gtest.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <cmath>
#include <numbers>

#include "configs/error.h"
#include "tests/golden/optimizers.h"
#include "tests/support/problem.h"

namespace plateforge {
namespace {

using torch::Tensor;

struct Net : torch::nn::Module {
  explicit Net(torch::ScalarType dtype = torch::kFloat32)
      : weight(register_parameter("weight",
                                  torch::tensor({{0.5, -1.0, 2.0}, {0.1, 0.0, -0.3}}, dtype))),
        bias(register_parameter("bias", torch::tensor({1.0, -0.5}, dtype))),
        mean(register_buffer("mean", torch::tensor({1.0, 2.0}, dtype))),
        count(register_buffer("count", torch::zeros({}, torch::kLong))) {}
  Tensor weight, bias, mean, count;
};

// The problem of tests/golden/optimizers.py.
constexpr int64_t kSteps = 30;

Tensor gradient(const Tensor& param, int64_t step) {
  const auto flat = param.detach().flatten().to(torch::kFloat64);
  const auto index = torch::arange(flat.numel(), torch::kFloat64);
  const auto noise = 0.5 * torch::sin(0.7 * static_cast<double>(step) + 1.3 * index);
  return (flat - torch::sin(index) + noise).to(param.scalar_type()).reshape(param.sizes());
}

void take_step(Net& net, Optimizer& optimizer, int64_t step, double lr, double beta1) {
  net.weight.mutable_grad() = gradient(net.weight, step);
  net.bias.mutable_grad() = gradient(net.bias, step);
  optimizer.step(lr, beta1);
}

OptimConfig config_of(const OptimizerGolden& golden) {
  OptimConfig config;
  config.optimizer = golden.rule;
  config.beta1 = golden.beta1;
  config.beta2 = golden.beta2;
  config.eps = golden.eps;
  config.weight_decay = golden.decay;
  return config;
}

void expect_near(const Net& net, const std::vector<double>& golden, const std::string& what) {
  const auto values = torch::cat({net.weight.flatten(), net.bias}).to(torch::kFloat64);
  const double tolerance = net.weight.scalar_type() == torch::kFloat64 ? 1e-12 : 2e-6;
  for (int64_t i = 0; i < values.numel(); ++i) {
    EXPECT_NEAR(values[i].item<double>(), golden[static_cast<size_t>(i)], tolerance)
        << what << ", element " << i;
  }
}

TEST(Optimizer, MatchesTheReferencePackages) {
  for (const auto& golden : kOptimizerGolden) {
    const bool adamw = std::string(golden.rule) == "adamw";
    const std::string what = std::string(golden.rule) + ", lr " + std::to_string(golden.lr);
    Net net(golden.dtype);
    const auto optimizer =
        make_optimizer(make_param_groups(net, config_of(golden)), config_of(golden));
    for (int64_t step = 0; step < kSteps; ++step) {
      const auto at = static_cast<double>(step) / static_cast<double>(kSteps);
      double lr = golden.lr, beta1 = golden.beta1;
      if (adamw) {
        lr *= 1 - at / 2;
        beta1 -= golden.extra * 0.1 * std::sin(std::numbers::pi * at);
      } else {
        lr *= std::min(1.0, static_cast<double>(step + 1) / std::max(1.0, golden.extra));
        if (step == kSteps / 2) {  // a validation
          optimizer->eval_mode();
          optimizer->train_mode();
        }
      }
      take_step(net, *optimizer, step, lr, beta1);
    }
    if (!adamw) expect_near(net, golden.training, what + ", train mode");
    optimizer->eval_mode();
    expect_near(net, golden.evaluated, what);
  }
}

// Saved after some steps and loaded into a fresh optimiser, training goes on with the same bits.
TEST(Optimizer, GoesOnExactlyAfterLoading) {
  for (const std::string rule : {"adamw", "schedule_free_adamw"}) {
    OptimConfig config;
    config.optimizer = rule;
    Net whole, parts;
    auto first = make_optimizer(make_param_groups(whole, config), config);
    auto second = make_optimizer(make_param_groups(parts, config), config);
    for (int64_t step = 0; step < 20; ++step) {
      if (step == 7) {
        const StateDict state = second->state();
        StateDict copy{{}, state.values};
        for (const auto& [name, tensor] : state.tensors) copy.tensors[name] = tensor.clone();
        second = make_optimizer(make_param_groups(parts, config), config);
        second->load(copy);
      }
      take_step(whole, *first, step, 0.01, 0.9);
      take_step(parts, *second, step, 0.01, 0.9);
    }
    EXPECT_TRUE(torch::equal(whole.weight, parts.weight)) << rule;
    EXPECT_TRUE(torch::equal(whole.bias, parts.bias)) << rule;
  }
}

TEST(Optimizer, RefusesTheStateOfAnotherNetwork) {
  for (const std::string rule : {"adamw", "schedule_free_adamw"}) {
    OptimConfig config;
    config.optimizer = rule;
    Net net;
    const auto optimizer = make_optimizer(make_param_groups(net, config), config);
    StateDict state = optimizer->state();
    state.tensors["exp_avg_sq/weight"] = torch::zeros({7});
    EXPECT_THROW(optimizer->load(state), Error) << rule;
    state.tensors.erase("exp_avg_sq/weight");
    EXPECT_THROW(optimizer->load(state), Error) << rule;
  }
}

// The fused kernel walks raw memory: a gradient of another memory order must not be mixed up.
TEST(Optimizer, AdamWDoesNotDependOnMemoryOrder) {
  const auto train = [](bool channels_last_weight, bool channels_last_grad) {
    torch::nn::Module net;
    const auto order = [](bool last) {
      return last ? torch::MemoryFormat::ChannelsLast : torch::MemoryFormat::Contiguous;
    };
    auto weight = net.register_parameter("weight", torch::arange(48, torch::kFloat32)
                                                       .reshape({2, 3, 2, 4})
                                                       .contiguous(order(channels_last_weight)));
    OptimConfig config;
    const auto optimizer = make_optimizer(make_param_groups(net, config), config);
    for (int64_t step = 0; step < 3; ++step) {
      weight.mutable_grad() = (weight.detach() - 20).contiguous(order(channels_last_grad));
      optimizer->step(0.1, 0.9);
    }
    return weight.detach().contiguous();
  };
  const auto reference = train(false, false);
  EXPECT_TRUE(torch::equal(train(true, true), reference));
  EXPECT_TRUE(torch::equal(train(true, false), reference));
  EXPECT_TRUE(torch::equal(train(false, true), reference));
}

// Scales of a million to one move by the same share and never change sign.
TEST(Optimizer, ScalesOfQuantisersMoveByAShareOfThemselves) {
  struct Quantised : torch::nn::Module {
    Tensor small = register_parameter("small_scale", torch::tensor(1e-5));
    Tensor large = register_parameter("large_scale", torch::tensor(10.0));
  } net;
  const auto groups = make_param_groups(net, {});
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_TRUE(groups[0].multiplicative);
  OptimConfig config;
  const auto optimizer = make_optimizer(groups, config);
  for (int step = 0; step < 3; ++step) {
    net.small.mutable_grad() = torch::tensor(7.0F);
    net.large.mutable_grad() = torch::tensor(-1e-3F);
    optimizer->step(0.5, 0.9);
  }
  // A constant gradient makes Adam's update the rate itself: exp(-+0.5) three times.
  EXPECT_NEAR(net.small.item<double>() / 1e-5, std::exp(-1.5), 1e-3);
  EXPECT_NEAR(net.large.item<double>() / 10, std::exp(1.5), 1e-2);
  config.optimizer = "schedule_free_adamw";
  EXPECT_THROW(make_optimizer(groups, config), Error);
}

TEST(Optimizer, TwoAveragesOfTheWeightsAreRefused) {
  Net net;
  OptimConfig config;
  config.optimizer = "schedule_free_adamw";
  const auto make = [&] { make_optimizer(make_param_groups(net, config), config); };
  EXPECT_EQ(problem_of(make), "");
  config.ema_decay = 0.99;
  EXPECT_NE(problem_of(make).find("set optim.ema_decay=0"), std::string::npos);
}

TEST(Optimizer, UnknownNameListsTheKnownOnes) {
  Net net;
  OptimConfig config;
  config.optimizer = "sgd";
  EXPECT_THROW(make_optimizer(make_param_groups(net, config), config), Error);
}

struct Deep : torch::nn::Module {
  torch::nn::Linear first = register_module("block1", torch::nn::Linear(2, 2));
  torch::nn::Linear tenth = register_module("block10", torch::nn::Linear(2, 2));
  torch::nn::BatchNorm1d norm = register_module("norm", torch::nn::BatchNorm1d(2));
};

TEST(ParamGroups, DecayAndMultipliersGoByName) {
  Deep net;
  OptimConfig config;
  config.weight_decay = 0.1;
  config.lr_multipliers = {"block1=0.1", "block1.bias=3", "norm=0"};
  const auto groups = make_param_groups(net, config);
  std::map<std::string, std::pair<double, double>> by_name;
  for (const auto& group : groups) {
    for (const auto& name : group.names) by_name[name] = {group.lr_multiplier, group.weight_decay};
  }
  const std::map<std::string, std::pair<double, double>> expected = {
      {"block1.weight", {0.1, 0.1}},
      {"block1.bias", {3, 0}},
      {"block10.weight", {1, 0.1}},
      {"block10.bias", {1, 0}},
  };
  EXPECT_EQ(by_name, expected);
  EXPECT_FALSE(net.norm->weight.requires_grad());
  EXPECT_TRUE(net.tenth->weight.requires_grad());
}

TEST(ParamGroups, MistakesAreOneSentence) {
  Deep net;
  const auto message = [&](const std::vector<std::string>& multipliers) {
    OptimConfig config;
    config.lr_multipliers = multipliers;
    try {
      make_param_groups(net, config);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(
      message({"backbone=0.1"}),
      "optim.lr_multipliers names 'backbone' but no parameter starts with it; the network has "
      "block1, block10, norm");
  EXPECT_NE(message({"block1"}).find("expected PREFIX=FACTOR"), std::string::npos);
  EXPECT_NE(message({"block1=fast"}).find("'block1=fast'"), std::string::npos);
  EXPECT_NE(message({"block1=0", "block10=0", "norm=0"}).find("nothing is left"),
            std::string::npos);
}

TEST(StagedFreeze, ParametersMoveFromTheirStepOn) {
  Net net;
  OptimConfig config;
  config.freeze_until = {"weight=2"};
  const auto optimizer = make_optimizer(make_param_groups(net, config), config);
  StagedFreeze freeze(net, config);
  const auto weight = net.weight.detach().clone();
  for (int64_t step = 0; step < 3; ++step) {
    const auto bias = net.bias.detach().clone();
    freeze.apply(step);
    optimizer->zero_grad();
    (net.weight.square().sum() + net.bias.square().sum()).backward();
    optimizer->step(0.1, 0.9);
    EXPECT_EQ(torch::equal(net.weight, weight), step < 2) << step;
    EXPECT_FALSE(torch::equal(net.bias, bias));
  }
}

TEST(StagedFreeze, AResumedRunIsInItsStage) {
  Net net;
  OptimConfig config;
  config.freeze_until = {"weight=2", "bias=5"};
  StagedFreeze freeze(net, config);
  freeze.apply(3);
  EXPECT_TRUE(net.weight.requires_grad());
  EXPECT_FALSE(net.bias.requires_grad());
  config.freeze_until = {"backbone=2"};
  EXPECT_THROW(StagedFreeze(net, config), Error);
}

TEST(Clip, ScalesTheJointNorm) {
  Net net;
  const auto groups = make_param_groups(net, OptimConfig{});
  const auto set = [&] {
    net.weight.mutable_grad() = torch::full({2, 3}, 3.0F);
    net.bias.mutable_grad() = torch::full({2}, 1.0F);
  };
  const double norm = std::sqrt(6 * 9.0 + 2);
  set();
  EXPECT_NEAR(clip_grad_norm(groups, 0).item<double>(), norm, 1e-5);
  EXPECT_EQ(net.weight.grad()[0][0].item<float>(), 3.0F);
  EXPECT_NEAR(clip_grad_norm(groups, 2 * norm).item<double>(), norm, 1e-5);
  EXPECT_EQ(net.weight.grad()[0][0].item<float>(), 3.0F);
  EXPECT_NEAR(clip_grad_norm(groups, 0.5).item<double>(), norm, 1e-5);
  EXPECT_NEAR(clip_grad_norm(groups, 0).item<double>(), 0.5, 1e-5);
}

TEST(Ema, WarmsUpThenDecays) {
  Net net;
  Ema ema(net, 0.5);
  const torch::NoGradGuard no_grad;
  net.bias.fill_(10.0);
  double average = 1.0;
  for (int t = 0; t < 20; ++t) {
    ema.update();
    const double decay = std::min(0.5, (1.0 + t) / (10.0 + t));
    average = decay * average + (1 - decay) * 10;
  }
  ema.swap();
  EXPECT_NEAR(net.bias[0].item<double>(), average, 1e-5);
  EXPECT_EQ(net.mean[1].item<float>(), 2.0F);
  ema.swap();
  EXPECT_EQ(net.bias[0].item<float>(), 10.0F);
}

TEST(Ema, AveragesBuffersAndRestoresExactly) {
  Net net;
  Ema ema(net, 0.9);
  const torch::NoGradGuard no_grad;
  for (int t = 0; t < 5; ++t) {
    net.mean.add_(1);
    net.count.add_(1);
    ema.update();
  }
  const auto weight = net.weight.clone();
  StateDict state = ema.state();
  EXPECT_EQ(state.tensors.size(), 3U);  // no counters
  StateDict copy{{}, state.values};
  for (const auto& [name, tensor] : state.tensors) copy.tensors[name] = tensor.clone();

  Ema other(net, 0.9);
  other.load(copy);
  net.mean.add_(1);
  ema.update();
  other.update();
  EXPECT_TRUE(torch::equal(ema.state().tensors.at("mean"), other.state().tensors.at("mean")));
  EXPECT_NE(ema.state().tensors.at("mean")[0].item<float>(), net.mean[0].item<float>());
  EXPECT_TRUE(torch::equal(net.weight, weight));
}

}  // namespace
}  // namespace plateforge
